// AWS's device SDK: MQTT 3.1.1 and 5, by certificate and over WebSocket.
const { iot, mqtt, mqtt5, io, auth } = require('aws-iot-device-sdk-v2');

const { HOST, PORT, CA, CERT, KEY, ID, TOPIC, LEVEL, WAY, AWS_REGION } = process.env;
io.enable_logging(io.LogLevel.NONE);
const text = (payload) => Buffer.from(payload).toString();

async function three() {
  const builder = WAY === 'websocket'
    ? iot.AwsIotMqttConnectionConfigBuilder.new_with_websockets({ region: AWS_REGION, credentials_provider: auth.AwsCredentialsProvider.newDefault() })
    : iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(CERT, KEY);
  builder.with_certificate_authority_from_path(undefined, CA);
  builder.with_clean_session(true).with_client_id(ID).with_endpoint(HOST).with_port(Number(PORT));
  const connection = new mqtt.MqttClient().new_connection(builder.build());
  connection.on('error', (err) => { console.log('error', err.error || err.toString()); process.exit(1); });
  await connection.connect();
  console.log('connected');
  const came = new Promise((resolve) => {
    connection.subscribe(`${TOPIC}/#`, mqtt.QoS.AtLeastOnce, (topic, payload) => resolve([topic, text(payload)]))
      .then((granted) => { console.log('subscribed', granted.qos); return connection.publish(`${TOPIC}/up`, 'from the SDK', mqtt.QoS.AtLeastOnce); });
  });
  console.log('received', ...(await came));
  await connection.disconnect();
}

async function five() {
  const builder = WAY === 'websocket'
    ? iot.AwsIotMqtt5ClientConfigBuilder.newWebsocketMqttBuilderWithSigv4Auth(HOST, { region: AWS_REGION, credentialsProvider: auth.AwsCredentialsProvider.newDefault() })
    : iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(HOST, CERT, KEY);
  builder.withCertificateAuthorityFromPath(undefined, CA);
  builder.withPort(Number(PORT)).withConnectProperties({ clientId: ID, keepAliveIntervalSeconds: 60 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const connected = new Promise((resolve, reject) => {
    client.on('connectionSuccess', (e) => resolve(e.connack.reasonCode));
    client.on('connectionFailure', (e) => reject(e.error));
  });
  const came = new Promise((resolve) => client.on('messageReceived', (e) => resolve([e.message.topicName, e.message.qos, text(e.message.payload)])));
  const stopped = new Promise((resolve) => client.on('stopped', resolve));
  client.start();
  console.log('connected', await connected);
  const suback = await client.subscribe({ subscriptions: [{ topicFilter: `${TOPIC}/#`, qos: mqtt5.QoS.AtLeastOnce }] });
  console.log('subscribed', suback.reasonCodes.join());
  const puback = await client.publish({ topicName: `${TOPIC}/up`, qos: mqtt5.QoS.AtLeastOnce, payload: 'from the SDK' });
  console.log('published', puback.reasonCode);
  console.log('received', ...(await came));
  client.stop();
  await stopped;
  client.close();
}

// exit, since the SDK's threads may still let go of what an ordinary end of the process frees: it aborts then.
(LEVEL === '5' ? five() : three()).then(() => process.exit(0)).catch((err) => { console.log('failed', err.toString()); process.exit(1); });
setTimeout(() => { console.log('nothing in 25 s'); process.exit(1); }, 25000).unref();
