"""Make Grafana's boards: what each shows is said once, and written in two query languages and several of people."""
