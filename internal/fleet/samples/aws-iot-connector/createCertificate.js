// The thing keeps the certificate whose key is in the glob, as long as that one works.
const { thingName } = state
const made = glob.get(thingKey)
const kept = made && made.thingName === thingName && glob.get(keyName) && glob.get(certName) && works(made.certificateArn)
const target = kept ? made.certificateArn : settings.keys === 'device' ? ownKey() : awsKey()

iot('AttachPolicy', { policyName, target })
iot('AttachThingPrincipal', { thingName, principal: target })
// Others are of keys that were lost.
for (const principal of iot('ListThingPrincipals', { thingName }).principals) {
  if (principal !== target) retire(thingName, principal)
}
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
  glob.set(keyName, key)
  glob.set(certName, certificatePem)
  glob.set(thingKey, { thingName, certificateArn })
  return certificateArn
}
