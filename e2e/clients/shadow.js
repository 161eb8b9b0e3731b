// The shadow clients of AWS's device SDK on one shadow: the first by topics, over MQTT 3.1.1, the second by requests
// that are answered, over MQTT 5.
const { once } = require('node:events');
const { iot, mqtt, mqtt5, io, iotshadow } = require('aws-iot-device-sdk-v2');

const { HOST, PORT, CA, CERT, KEY, ID } = process.env;
io.enable_logging(io.LogLevel.NONE);
const thingName = ID, shadowName = 'cfg', qos = mqtt.QoS.AtLeastOnce;
const json = (v) => JSON.stringify(v);

// One promise for each event of a subscription, in their order.
function events(subscribe) {
  const came = [], waiting = [];
  const ready = subscribe((err, event) => {
    if (err) throw err;
    const next = waiting.shift();
    if (next) next(event); else came.push(event);
  });
  return { ready, next: () => new Promise((resolve) => (came.length ? resolve(came.shift()) : waiting.push(resolve))) };
}

async function three() {
  const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(CERT, KEY)
    .with_certificate_authority_from_path(undefined, CA).with_clean_session(true).with_client_id(ID).with_endpoint(HOST).with_port(Number(PORT)).build();
  const connection = new mqtt.MqttClient().new_connection(config);
  await connection.connect();
  const client = new iotshadow.IotShadowClient(connection);
  const got = events((f) => client.subscribeToGetShadowAccepted({ thingName }, qos, f));
  const notGot = events((f) => client.subscribeToGetShadowRejected({ thingName }, qos, f));
  const accepted = events((f) => client.subscribeToUpdateShadowAccepted({ thingName }, qos, f));
  const rejected = events((f) => client.subscribeToUpdateShadowRejected({ thingName }, qos, f));
  const delta = events((f) => client.subscribeToShadowDeltaUpdatedEvents({ thingName }, qos, f));
  const updated = events((f) => client.subscribeToShadowUpdatedEvents({ thingName }, qos, f));
  const deleted = events((f) => client.subscribeToDeleteShadowAccepted({ thingName }, qos, f));
  await Promise.all([got, notGot, accepted, rejected, delta, updated, deleted].map((e) => e.ready));

  await client.publishGetShadow({ thingName, clientToken: 'first' }, qos);
  let e = await notGot.next();
  console.log('rejected', e.code, e.message, e.clientToken);
  await client.publishUpdateShadow({ thingName, clientToken: 'a', state: { desired: { color: 'red' }, reported: { color: 'green' } } }, qos);
  e = await accepted.next();
  console.log('accepted', e.version, json(e.state), e.clientToken);
  e = await delta.next();
  console.log('delta', e.version, json(e.state));
  e = await updated.next();
  console.log('updated', e.previous, e.current.version, json(e.current.state));
  await client.publishUpdateShadow({ thingName, clientToken: 'b', state: { reported: { color: 'red' } }, version: 7 }, qos);
  e = await rejected.next();
  console.log('rejected', e.code, e.message, e.clientToken);
  await client.publishGetShadow({ thingName, clientToken: 'c' }, qos);
  e = await got.next();
  console.log('got', e.version, json(e.state), e.clientToken);
  await client.publishDeleteShadow({ thingName, clientToken: 'd' }, qos);
  e = await deleted.next();
  console.log('deleted', e.version, e.clientToken);
  await connection.disconnect();
}

async function five() {
  const config = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(HOST, CERT, KEY)
    .withCertificateAuthorityFromPath(undefined, CA).withPort(Number(PORT)).withConnectProperties({ clientId: ID, keepAliveIntervalSeconds: 60 }).build();
  const protocol = new mqtt5.Mqtt5Client(config);
  const connected = once(protocol, 'connectionSuccess');
  protocol.start();
  await connected;
  const client = iotshadow.IotShadowClientv2.newFromMqtt5(protocol, { maxRequestResponseSubscriptions: 5, maxStreamingSubscriptions: 5, operationTimeoutInSeconds: 15 });
  const streams = [client.createNamedShadowDeltaUpdatedStream({ thingName, shadowName }), client.createNamedShadowUpdatedStream({ thingName, shadowName })];
  for (const s of streams) {
    const open = once(s, 'subscriptionStatus');
    s.open();
    await open;
  }
  const next = streams.map((s) => once(s, 'incomingPublish'));

  const refused = await client.getNamedShadow({ thingName, shadowName }).catch((err) => err.modeledError);
  console.log('named rejected', refused.code, refused.message);
  let r = await client.updateNamedShadow({ thingName, shadowName, state: { desired: { rate: 1.5 } } });
  console.log('named accepted', r.version, json(r.state));
  console.log('named delta', json((await next[0])[0].message.state));
  console.log('named updated', (await next[1])[0].message.current.version);
  r = await client.getNamedShadow({ thingName, shadowName });
  console.log('named got', r.version, json(r.state));
  const conflict = await client.updateNamedShadow({ thingName, shadowName, state: { reported: {} }, version: 9 }).catch((err) => err.modeledError);
  console.log('named rejected', conflict.code, conflict.message);
  r = await client.deleteNamedShadow({ thingName, shadowName });
  console.log('named deleted', r.version);
  client.close();
  const stopped = once(protocol, 'stopped');
  protocol.stop();
  await stopped;
  protocol.close();
}

three().then(five).then(() => process.exit(0)).catch((err) => { console.log('failed', err.toString()); process.exit(1); });
setTimeout(() => { console.log('nothing in 40 s'); process.exit(1); }, 40000).unref();
