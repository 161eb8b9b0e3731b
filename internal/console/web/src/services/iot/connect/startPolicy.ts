/** The policy that a new device starts with: its own name, topics and shadows, and those of AWS's samples. */
export function startPolicy(region: string, account: string, thing: string): string {
  const arn = (what: string) => `arn:aws:iot:${region}:${account}:${what}`;
  const topics = [`${thing}/*`, "sdk/test/*", `$aws/things/${thing}/shadow/*`];
  return JSON.stringify(
    {
      Version: "2012-10-17",
      Statement: [
        { Effect: "Allow", Action: "iot:Connect", Resource: [thing, "basicPubSub", "sdk-java", "sdk-nodejs-*"].map((id) => arn(`client/${id}`)) },
        { Effect: "Allow", Action: ["iot:Publish", "iot:Receive", "iot:RetainPublish"], Resource: topics.map((t) => arn(`topic/${t}`)) },
        { Effect: "Allow", Action: "iot:Subscribe", Resource: topics.map((t) => arn(`topicfilter/${t}`)) },
        { Effect: "Allow", Action: ["iot:GetThingShadow", "iot:UpdateThingShadow", "iot:DeleteThingShadow", "iot:ListNamedShadowsForThing"], Resource: arn(`thing/${thing}`) },
      ],
    },
    null,
    2,
  );
}
