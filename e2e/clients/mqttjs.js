// mqtt.js over WebSocket, signed with SigV4 as AWS's documentation does it: the
// session token comes behind the signature.
const crypto = require('node:crypto');
const mqtt = require('mqtt');

const { HOST, PORT, CA, ID, TOPIC, LEVEL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION } = process.env;

const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest();
const hash = (text) => crypto.createHash('sha256').update(text).digest('hex');

function signedURL() {
  const now = new Date().toISOString().replace(/[:-]|\.\d{3}/g, '');
  const scope = `${now.slice(0, 8)}/${AWS_REGION}/iotdevicegateway/aws4_request`;
  const query = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256',
    `X-Amz-Credential=${encodeURIComponent(`${AWS_ACCESS_KEY_ID}/${scope}`)}`,
    `X-Amz-Date=${now}`,
    'X-Amz-Expires=86400',
    'X-Amz-SignedHeaders=host',
  ].join('&');
  const canonical = `GET\n/mqtt\n${query}\nhost:${HOST}:${PORT}\n\nhost\n${hash('')}`;
  const key = ['iotdevicegateway', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${AWS_SECRET_ACCESS_KEY}`, now.slice(0, 8)), AWS_REGION));
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${now}\n${scope}\n${hash(canonical)}`).toString('hex');
  const token = AWS_SESSION_TOKEN ? `&X-Amz-Security-Token=${encodeURIComponent(AWS_SESSION_TOKEN)}` : '';
  return `wss://${HOST}:${PORT}/mqtt?${query}&X-Amz-Signature=${signature}${token}`;
}

let done = false;
const client = mqtt.connect(signedURL(), {
  clientId: ID, protocolVersion: Number(LEVEL), reconnectPeriod: 0, connectTimeout: 20000, keepalive: 60,
  ca: require('node:fs').readFileSync(CA),
});
client.on('connect', (connack) => {
  console.log('connected', LEVEL === '5' ? connack.reasonCode : connack.returnCode);
  client.subscribe(`${TOPIC}/#`, { qos: 1 }, (err, granted) => {
    if (err) throw err;
    console.log('subscribed', granted.map((g) => g.qos).join());
    client.publish(`${TOPIC}/up`, 'from mqtt.js', { qos: 1 });
  });
});
client.on('message', (topic, payload, packet) => {
  console.log('received', topic, packet.qos, payload.toString());
  done = true;
  client.end();
});
client.on('error', (err) => { console.log('error', err.message); process.exit(1); });
client.on('close', () => { console.log('closed'); process.exit(done ? 0 : 1); });
