import * as iot from "@aws-sdk/client-iot";
import * as data from "@aws-sdk/client-iot-data-plane";
import type { Page } from "../../kit/many";
import { all, aws } from "../../session/aws";

/** send calls AWS IoT: send(new iot.DescribeThingCommand({ … })). */
export const send: iot.IoTClient["send"] = ((command: never) => aws(iot.IoTClient).send(command)) as iot.IoTClient["send"];

/** sendData calls its data plane: shadows, messages, connections. */
export const sendData: data.IoTDataPlaneClient["send"] = ((command: never) => aws(data.IoTDataPlaneClient).send(command)) as data.IoTDataPlaneClient["send"];

export interface ThingFilter {
  type?: string;
  attribute?: string;
  value?: string; // with an asterisk at its end: values that begin so
}

const prefixOf = (value: string): string | undefined => (value.endsWith("*") ? value.slice(0, -1) : undefined);

export async function pageOfThings(filter: ThingFilter, nextToken?: string): Promise<Page<iot.ThingAttribute>> {
  const prefix = filter.attribute ? prefixOf(filter.value ?? "") : undefined;
  const p = await send(
    new iot.ListThingsCommand({
      thingTypeName: filter.type || undefined,
      attributeName: filter.attribute || undefined,
      attributeValue: filter.attribute ? (prefix ?? filter.value) : undefined,
      usePrefixAttributeValue: prefix !== undefined || undefined,
      maxResults: 250,
      nextToken,
    }),
  );
  return { items: p.things ?? [], next: p.nextToken };
}

/** thingNamed is the thing of that very name, if there is one and the filter lets it pass. */
export async function thingNamed(thingName: string, filter: ThingFilter): Promise<iot.ThingAttribute | undefined> {
  const t = await unless("ResourceNotFoundException", () => send(new iot.DescribeThingCommand({ thingName })));
  if (!t || (filter.type && t.thingTypeName !== filter.type)) return undefined;
  if (filter.attribute) {
    const has = t.attributes?.[filter.attribute];
    const prefix = prefixOf(filter.value ?? "");
    if (has === undefined || (prefix !== undefined ? !has.startsWith(prefix) : has !== filter.value)) return undefined;
  }
  return { thingName: t.thingName, thingArn: t.thingArn, thingTypeName: t.thingTypeName, attributes: t.attributes, version: t.version };
}

export async function pageOfCertificates(marker?: string): Promise<Page<iot.Certificate>> {
  const p = await send(new iot.ListCertificatesCommand({ pageSize: 250, marker }));
  return { items: p.certificates ?? [], next: p.nextMarker };
}

export async function pageOfRetained(nextToken?: string): Promise<Page<data.RetainedMessageSummary>> {
  const p = await sendData(new data.ListRetainedMessagesCommand({ maxResults: 200, nextToken }));
  return { items: p.retainedTopics ?? [], next: p.nextToken };
}

export const listTypes = () => all((nextToken) => send(new iot.ListThingTypesCommand({ nextToken, maxResults: 250 })), (p) => p.thingTypes, (p) => p.nextToken);
export const listGroups = (parentGroup?: string) =>
  all((nextToken) => send(new iot.ListThingGroupsCommand({ nextToken, maxResults: 250, parentGroup, recursive: parentGroup ? false : undefined })), (p) => p.thingGroups, (p) => p.nextToken);
export const listBillingGroups = () => all((nextToken) => send(new iot.ListBillingGroupsCommand({ nextToken, maxResults: 250 })), (p) => p.billingGroups, (p) => p.nextToken);
export const listPolicies = () => all((marker) => send(new iot.ListPoliciesCommand({ marker, pageSize: 250 })), (p) => p.policies, (p) => p.nextMarker);
export const listCAs = () => all((marker) => send(new iot.ListCACertificatesCommand({ marker, pageSize: 250 })), (p) => p.certificates, (p) => p.nextMarker);
export const listAliases = () => all((marker) => send(new iot.ListRoleAliasesCommand({ marker, pageSize: 250 })), (p) => p.roleAliases, (p) => p.nextMarker);
export const listVersions = async (policyName: string) => (await send(new iot.ListPolicyVersionsCommand({ policyName }))).policyVersions ?? [];

export const policiesOf = (target: string, recursive = false) =>
  all((marker) => send(new iot.ListAttachedPoliciesCommand({ target, marker, pageSize: 250, recursive })), (p) => p.policies, (p) => p.nextMarker);
export const targetsOf = (policyName: string) => all((marker) => send(new iot.ListTargetsForPolicyCommand({ policyName, marker, pageSize: 250 })), (p) => p.targets, (p) => p.nextMarker);
export const principalsOf = (thingName: string) => all((nextToken) => send(new iot.ListThingPrincipalsCommand({ thingName, nextToken, maxResults: 250 })), (p) => p.principals, (p) => p.nextToken);
export const thingsOf = (principal: string) => all((nextToken) => send(new iot.ListPrincipalThingsCommand({ principal, nextToken, maxResults: 250 })), (p) => p.things, (p) => p.nextToken);
export const groupsOf = (thingName: string) => all((nextToken) => send(new iot.ListThingGroupsForThingCommand({ thingName, nextToken, maxResults: 250 })), (p) => p.thingGroups, (p) => p.nextToken);
export const thingsInGroup = (thingGroupName: string) =>
  all((nextToken) => send(new iot.ListThingsInThingGroupCommand({ thingGroupName, nextToken, maxResults: 250 })), (p) => p.things, (p) => p.nextToken);
export const thingsInBillingGroup = (billingGroupName: string) =>
  all((nextToken) => send(new iot.ListThingsInBillingGroupCommand({ billingGroupName, nextToken, maxResults: 250 })), (p) => p.things, (p) => p.nextToken);
export const tagsOf = (resourceArn: string) => all((nextToken) => send(new iot.ListTagsForResourceCommand({ resourceArn, nextToken })), (p) => p.tags, (p) => p.nextToken);
export const namedShadows = (thingName: string) => all((nextToken) => sendData(new data.ListNamedShadowsForThingCommand({ thingName, nextToken, pageSize: 100 })), (p) => p.results, (p) => p.nextToken);

export type EndpointType = "iot:Data-ATS" | "iot:Data" | "iot:CredentialProvider" | "iot:Jobs";
export const endpoint = async (endpointType: EndpointType) => (await send(new iot.DescribeEndpointCommand({ endpointType }))).endpointAddress ?? "";

export const attachPolicy = (policyName: string, target: string) => send(new iot.AttachPolicyCommand({ policyName, target }));
export const detachPolicy = (policyName: string, target: string) => send(new iot.DetachPolicyCommand({ policyName, target }));
export const attachThing = (thingName: string, principal: string) => send(new iot.AttachThingPrincipalCommand({ thingName, principal }));
export const detachThing = (thingName: string, principal: string) => send(new iot.DetachThingPrincipalCommand({ thingName, principal }));

/** deleteThing detaches what a thing connects with and deletes it. */
export async function deleteThing(thingName: string): Promise<void> {
  for (const principal of await principalsOf(thingName)) await detachThing(thingName, principal);
  await send(new iot.DeleteThingCommand({ thingName }));
}

/** deleteCertificate takes a certificate out of use: policies, things, status, then itself. */
export async function deleteCertificate(certificateId: string): Promise<void> {
  const { certificateDescription: c } = await send(new iot.DescribeCertificateCommand({ certificateId }));
  const arn = c?.certificateArn ?? "";
  for (const p of await policiesOf(arn)) await detachPolicy(p.policyName ?? "", arn);
  for (const t of await thingsOf(arn)) await detachThing(t, arn);
  if (c?.status === "ACTIVE") await send(new iot.UpdateCertificateCommand({ certificateId, newStatus: "INACTIVE" }));
  await send(new iot.DeleteCertificateCommand({ certificateId }));
}

/** deletePolicy detaches a policy from all that have it and deletes its versions, then itself. */
export async function deletePolicy(policyName: string): Promise<void> {
  for (const target of await targetsOf(policyName)) await detachPolicy(policyName, target);
  for (const v of await listVersions(policyName)) if (!v.isDefaultVersion) await send(new iot.DeletePolicyVersionCommand({ policyName, policyVersionId: v.versionId }));
  await send(new iot.DeletePolicyCommand({ policyName }));
}

/** unless calls, and takes an error of that name for undefined. */
export async function unless<T>(name: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (e) {
    if (e instanceof Error && e.name === name) return undefined;
    throw e;
  }
}

/** The certificate of the authority that the server's own are signed by, which devices need. */
export const rootPath = "/repository/AmazonRootCA1.pem";
export async function rootCertificate(): Promise<string> {
  const answer = await fetch(rootPath);
  if (!answer.ok) throw new Error(`The root certificate is not to be had: the server answered with the status ${answer.status}.`);
  return answer.text();
}

export const textOf = (payload: Uint8Array | undefined): string => (payload ? new TextDecoder().decode(payload) : "");
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The answer to what cannot be asked yet. */
export const never = new Promise<never>(() => {});
