/** What AWS IoT takes for names and values; nothing: it will do. */
export function nameFault(name: string, what: string, pattern: RegExp = /^[a-zA-Z0-9:_-]+$/, most = 128): string | undefined {
  if (!name) return `Enter a ${what}.`;
  if (name.length > most) return `A ${what} has up to ${most} characters.`;
  if (!pattern.test(name)) return `A ${what} has ${allowed(pattern)} only.`;
  return undefined;
}

export const thingRule = "Up to 128 characters: letters, numbers, hyphens, colons and underscores. A name cannot be changed later.";

/** Of policies, and of role aliases. */
export const policyPattern = /^[\w+=,.@-]+$/;
export const aliasPattern = /^[\w=,@-]+$/;

function allowed(pattern: RegExp): string {
  if (pattern === policyPattern) return "letters, digits, and + = , . @ _ -";
  if (pattern === aliasPattern) return "letters, digits, and = , @ _ -";
  return "letters, digits, and : _ -";
}

export interface Attribute {
  name: string;
  value: string;
}

/** What is wrong with attributes of a thing. */
export function attributesFault(attributes: Attribute[]): string | undefined {
  for (const { name, value } of attributes) {
    if (!name) return "An attribute has no key.";
    if (name.length > 128 || !/^[a-zA-Z0-9_.,@/:#-]+$/.test(name)) return `The attribute key "${name}" has other than up to 128 letters, digits, and _ . , @ / : # -`;
    if (value.length > 800 || !/^[a-zA-Z0-9_.,@/:#=[\]-]*$/.test(value)) return `The value of "${name}" has other than up to 800 letters, digits, and _ . , @ / : # = [ ] -`;
  }
  const names = attributes.map((a) => a.name);
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  return twice === undefined ? undefined : `The attribute "${twice}" is there twice.`;
}

export const attributesOf = (record: Record<string, string> | undefined): Attribute[] => Object.entries(record ?? {}).map(([name, value]) => ({ name, value }));

export const recordOf = (attributes: Attribute[]): Record<string, string> => Object.fromEntries(attributes.map((a) => [a.name, a.value]));

/** The last part of an ARN: a certificate's id, a thing's name. */
export const lastOf = (arn: string | undefined): string => arn?.slice(arn.indexOf("/") + 1) ?? "";

/** What the files of a certificate are called, as AWS's console calls them. */
export const fileNames = (certificateId: string) => {
  const id = certificateId.slice(0, 10);
  return { certificate: `${id}-certificate.pem.crt`, privateKey: `${id}-private.pem.key`, publicKey: `${id}-public.pem.key`, root: "AmazonRootCA1.pem" };
};

/** A text without the white space that policies are not counted by. */
export const weight = (document: string): number => document.replace(/\s/g, "").length;
