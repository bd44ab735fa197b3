"""Publish the newest readings over MQTT, with discovery for Home Assistant.

A failure here does not affect recording.
"""
