// Where devices connect to. A wrong key or region shows here, before anything is made.
once('endpoint', () => {
  const { endpointAddress } = iot('DescribeEndpoint', { endpointType: 'iot:Data-ATS' })
  glob.set('aws_iot_endpoint', endpointAddress)
})
