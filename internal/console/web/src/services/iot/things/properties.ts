import { AddThingToBillingGroupCommand, AddThingToThingGroupCommand, CreateThingCommand, DescribeThingCommand } from "@aws-sdk/client-iot";
import { UpdateThingShadowCommand } from "@aws-sdk/client-iot-data-plane";
import { attachPolicy, attachThing, bytesOf, send, sendData, unless } from "../api";
import { attributesFault, nameFault, recordOf, type Attribute } from "../names";

/** What a thing is made with. */
export interface Properties {
  type?: string;
  attributes: Attribute[];
  group?: string;
  billingGroup?: string;
  shadow: "none" | "classic" | "named";
  shadowName: string;
  shadowDocument: string;
}

export const noProperties: Properties = {
  attributes: [],
  shadow: "none",
  shadowName: "",
  shadowDocument: '{\n  "state": {\n    "desired": {\n      "welcome": "aws-iot"\n    },\n    "reported": {\n      "welcome": "aws-iot"\n    }\n  }\n}',
};

export const thingFault = (name: string) => nameFault(name, "thing name");

export function shadowNameFault(name: string): string | undefined {
  return nameFault(name, "shadow name", undefined, 64);
}

export function propertiesFault(p: Properties): string | undefined {
  return attributesFault(p.attributes) ?? (p.shadow === "named" ? shadowNameFault(p.shadowName) : undefined) ?? (p.shadow !== "none" && !isObject(p.shadowDocument) ? "The shadow document is not a JSON object." : undefined);
}

function isObject(text: string): boolean {
  try {
    const v: unknown = JSON.parse(text);
    return v !== null && typeof v === "object" && !Array.isArray(v);
  } catch {
    return false;
  }
}

/** Without a type a thing has three searchable attributes, with one fifty. */
export const mostAttributes = (type: string | undefined) => (type ? 50 : 3);

/** thingExists says whether the name is taken. */
export const thingExists = async (thingName: string): Promise<boolean> => (await unless("ResourceNotFoundException", () => send(new DescribeThingCommand({ thingName })))) !== undefined;

/**
 * registerThing makes a thing and what belongs to it. When it throws there is
 * no thing; what went wrong after that it returns.
 */
export async function registerThing(thingName: string, p: Properties, certificateArn?: string, policies: string[] = []): Promise<string[]> {
  await send(
    new CreateThingCommand({
      thingName,
      thingTypeName: p.type || undefined,
      attributePayload: p.attributes.length ? { attributes: recordOf(p.attributes) } : undefined,
    }),
  );
  const failed: string[] = [];
  const also = async (what: string, call: () => Promise<unknown>) => {
    try {
      await call();
    } catch (e) {
      failed.push(`${what}: ${e instanceof Error ? e.message : String(e)}`);
    }
  };
  const { group, billingGroup } = p;
  if (certificateArn) await also("The certificate is not attached", () => attachThing(thingName, certificateArn));
  if (certificateArn) for (const policy of policies) await also(`The policy ${policy} is not attached`, () => attachPolicy(policy, certificateArn));
  if (group) await also(`It is not in the group ${group}`, () => send(new AddThingToThingGroupCommand({ thingName, thingGroupName: group })));
  if (billingGroup) await also(`It is not in the billing group ${billingGroup}`, () => send(new AddThingToBillingGroupCommand({ thingName, billingGroupName: billingGroup })));
  if (p.shadow !== "none") {
    await also("Its shadow is not made", () => sendData(new UpdateThingShadowCommand({ thingName, shadowName: p.shadow === "named" ? p.shadowName : undefined, payload: bytesOf(p.shadowDocument) })));
  }
  return failed;
}
