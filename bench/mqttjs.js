// The load of thingd fleet by mqtt.js, on which MQTTX's command line is built: devices with certificates publish as fast as
// they can with QoS 1, each waiting for its acknowledgement. Prints how many, and the 99th percentile of the wait.
// node mqttjs.js URL CA DEVICES SECONDS: DEVICES is a JSON file of [{key, cert}].
const fs = require('fs')
const mqtt = require('mqtt')
const [url, ca, devices, seconds] = process.argv.slice(2)

async function device({ key, cert }, n) {
  const c = await mqtt.connectAsync(url, { ca: fs.readFileSync(ca), key, cert, clientId: `iotify_${n}`, protocolVersion: 4, keepalive: 60 })
  return async end => {
    const waits = []
    for (let i = 0; Date.now() < end; i++) {
      const begin = process.hrtime.bigint()
      await c.publishAsync(`iotify/${n}/data`, JSON.stringify({ client: n, iteration: i, temperature: 18 + Math.round(Math.random() * 60) / 10 }), { qos: 1 })
      waits.push(Number(process.hrtime.bigint() - begin) / 1e6)
    }
    await c.endAsync()
    return waits
  }
}

Promise.all(JSON.parse(fs.readFileSync(devices)).map(device)).then(async all => {
  const end = Date.now() + seconds * 1000
  const waits = (await Promise.all(all.map(run => run(end)))).flat().sort((a, b) => a - b)
  console.log(JSON.stringify({ count: waits.length, p99: waits[Math.floor(waits.length * 0.99)] }))
})
