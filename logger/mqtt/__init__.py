"""Publish the newest readings over MQTT, with discovery for Home Assistant. Nothing here delays or ends recording."""
