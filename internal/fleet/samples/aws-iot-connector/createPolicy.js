// What the devices may do.
const actions = ['iot:Connect', 'iot:Publish', 'iot:Subscribe', 'iot:Receive', 'iot:RetainPublish', 'iot:AssumeRoleWithCertificate']

once('policy', () => {
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] }
  make('CreatePolicy', { policyName, policyDocument: JSON.stringify(policy) })
})
