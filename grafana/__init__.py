"""Make Grafana's boards from one definition, in two query languages and three human languages."""
