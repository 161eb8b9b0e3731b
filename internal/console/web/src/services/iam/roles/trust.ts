/** Who may assume a role, in words, from its trust policy. */
export function trusted(document: string): string[] {
  let policy: unknown;
  try {
    policy = JSON.parse(document);
  } catch {
    return [];
  }
  const statement = (policy as { Statement?: unknown } | null)?.Statement;
  const names = new Set<string>();
  for (const s of Array.isArray(statement) ? statement : [statement]) {
    const { Effect, Principal } = (s ?? {}) as { Effect?: string; Principal?: unknown };
    if (Effect !== "Allow" || Principal === undefined) continue;
    if (typeof Principal === "string") {
      names.add(Principal === "*" ? "Everybody" : Principal);
      continue;
    }
    for (const [kind, value] of Object.entries(Principal as Record<string, string | string[]>)) {
      for (const v of Array.isArray(value) ? value : [value]) {
        if (kind === "Service") names.add(`Service: ${v.replace(/\.amazonaws\.com$/, "")}`);
        else if (kind === "AWS") names.add(v === "*" ? "Everybody" : /^\d{12}$/.test(v) ? `Account: ${v}` : /^arn:aws:iam::(\d{12}):root$/.test(v) ? `Account: ${v.split(":")[4]}` : v);
        else names.add(`${kind === "Federated" ? "Identity provider" : kind}: ${v}`);
      }
    }
  }
  return [...names];
}

const document = (principal: Record<string, string>, condition?: object) =>
  JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: principal, Action: "sts:AssumeRole", ...(condition ? { Condition: condition } : {}) }] }, null, 4);

/** The trust policy of a role that a service assumes. */
export const trustService = (service: string) => document({ Service: service });

/** The trust policy of a role for an account's users. */
export const trustAccount = (account: string, externalID?: string, mfa?: boolean) => {
  const condition = {
    ...(externalID ? { StringEquals: { "sts:ExternalId": externalID } } : {}),
    ...(mfa ? { Bool: { "aws:MultiFactorAuthPresent": "true" } } : {}),
  };
  return document({ AWS: `arn:aws:iam::${account}:root` }, Object.keys(condition).length ? condition : undefined);
};

/** The services of this server that assume roles. */
export const services = [
  { value: "credentials.iot.amazonaws.com", label: "IoT - credentials provider", description: "Devices get this role's credentials by a role alias and their certificate." },
  { value: "iot.amazonaws.com", label: "IoT", description: "Rules and jobs act with this role." },
  { value: "kinesisvideo.amazonaws.com", label: "Kinesis Video Streams", description: "Kinesis Video Streams acts with this role." },
];
