// credentials are those to call AWS with: {} stands for the access key of the
// settings. Temporary ones of the certificate are kept while they are good.
function credentials() {
  if (!settings.roleAlias) return {}
  const kept = state.__$credentials
  if (kept && Date.parse(kept.expiration) - Date.now() > 5 * 60 * 1000) return kept

  const url = `https://${settings.credentialsEndpoint}/role-aliases/${settings.roleAlias}/credentials`
  const answer = http.get(url, { headers: { 'x-amzn-iot-thingname': state.stream }, key: state.__$key, certificate: state.__$cert })
  if (!answer.ok) throw new Error(`the credentials provider answers ${answer.status}: ${answer.body}`)
  state.__$credentials = answer.json().credentials
  return state.__$credentials
}
