"""Debian's paho: subscribes, publishes to itself with QoS 1, and says what came."""
import os
import ssl
import sys
import threading

import paho.mqtt.client as mqtt

protocol = {"3": mqtt.MQTTv31, "4": mqtt.MQTTv311, "5": mqtt.MQTTv5}[os.environ["LEVEL"]]
topic = os.environ["TOPIC"]
done = threading.Event()
failure = []


def on_connect(client, userdata, flags, reason, properties=None):
    print("connected", int(reason) if protocol != mqtt.MQTTv5 else reason.value, flush=True)
    client.subscribe(topic + "/#", qos=1)


def on_subscribe(client, userdata, mid, granted, properties=None):
    print("subscribed", [g if isinstance(g, int) else g.value for g in granted], flush=True)
    client.publish(topic + "/up", b"from paho", qos=1)


def on_message(client, userdata, message):
    print("received", message.topic, message.qos, message.payload.decode(), flush=True)
    done.set()


def on_disconnect(client, userdata, reason, properties=None):
    print("disconnected", reason, flush=True)
    done.set()


client = mqtt.Client(client_id=os.environ["ID"], protocol=protocol)
context = ssl.create_default_context(cafile=os.environ["CA"])
context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
if os.environ.get("ALPN"):
    context.set_alpn_protocols([os.environ["ALPN"]])
client.tls_set_context(context)
client.on_connect, client.on_subscribe, client.on_message, client.on_disconnect = on_connect, on_subscribe, on_message, on_disconnect
client.connect(os.environ["HOST"], int(os.environ["PORT"]), keepalive=60)
client.loop_start()
if not done.wait(20):
    sys.exit("nothing came in 20 s")
client.disconnect()
client.loop_stop()
