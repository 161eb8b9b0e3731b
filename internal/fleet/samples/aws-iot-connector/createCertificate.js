// The thing keeps the certificate whose key is in the glob, as long as that one is active.
const { thingName } = state
const made = glob.get(thingKey)
const was = made ? status(made.certificateArn) : null
const keeps = was === 'ACTIVE' && made.thingName === thingName && glob.get(keyName) && glob.get(certName)

// Certificates of keys that were lost are of no use to anybody.
if (was && !keeps) retire(made.thingName, made.certificateArn)
for (const principal of iot('ListThingPrincipals', { thingName }).principals) {
  if (keeps && principal === made.certificateArn) continue
  if (attached(principal).includes(policyName)) retire(thingName, principal)
}

const target = keeps ? made.certificateArn : settings.keys === 'device' ? ownKey() : awsKey()
iot('AttachPolicy', { policyName, target })
iot('AttachThingPrincipal', { thingName, principal: target })
state.certificateArn = target

// awsKey has AWS make key and certificate.
function awsKey() {
  const { certificateArn, certificatePem, keyPair } = iot('CreateKeysAndCertificate', { setAsActive: true })
  return keep(certificateArn, certificatePem, keyPair.PrivateKey)
}

// ownKey makes a key here, and has AWS sign for it.
function ownKey() {
  const { key, csr } = crypto.generateCSR({ commonName: thingName })
  const { certificateArn, certificatePem } = iot('CreateCertificateFromCsr', { certificateSigningRequest: csr, setAsActive: true })
  return keep(certificateArn, certificatePem, key)
}

// keep puts them into the glob at once: if the run ends now, the next one goes on from here.
function keep(certificateArn, certificatePem, key) {
  glob.set(thingKey, { thingName, certificateArn })
  glob.set(certName, certificatePem)
  glob.set(keyName, key)
  return certificateArn
}
