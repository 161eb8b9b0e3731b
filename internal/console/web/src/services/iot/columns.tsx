import Link from "@cloudscape-design/components/link";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { Certificate, GroupNameAndArn, Policy, ThingAttribute } from "@aws-sdk/client-iot";
import { to } from "../../frame/route";
import { time } from "../../kit/format";
import type { Column } from "../../kit/ListPage";
import { lastOf } from "./names";

export const thingLink = (name: string) => to(["iot", "things", "details", name]);
export const certificateLink = (id: string) => to(["iot", "certificates", "details", id]);
export const policyLink = (name: string) => to(["iot", "policies", "details", name]);
export const groupLink = (name: string) => to(["iot", "thing-groups", "details", name]);
export const typeLink = (name: string) => to(["iot", "thing-types", "details", name]);
export const billingLink = (name: string) => to(["iot", "billing-groups", "details", name]);
export const authorityLink = (id: string) => to(["iot", "certificate-authorities", "details", id]);

/** How the status of a certificate is shown. */
export function Status({ of }: { of: string | undefined }) {
  const kind = of === "ACTIVE" ? "success" : of === "REVOKED" ? "error" : of?.startsWith("PENDING") ? "pending" : "stopped";
  const text = (of ?? "-").toLowerCase().replaceAll("_", " ");
  return <StatusIndicator type={kind}>{text.charAt(0).toUpperCase() + text.slice(1)}</StatusIndicator>;
}

export const policyColumns: Column<Policy>[] = [
  { id: "name", header: "Policy name", text: (p) => p.policyName, cell: (p) => <Link href={policyLink(p.policyName ?? "")}>{p.policyName}</Link> },
  { id: "arn", header: "ARN", text: (p) => p.policyArn },
];

export const thingColumns: Column<ThingAttribute>[] = [
  { id: "name", header: "Name", text: (t) => t.thingName, cell: (t) => <Link href={thingLink(t.thingName ?? "")}>{t.thingName}</Link> },
  { id: "type", header: "Thing type", text: (t) => t.thingTypeName, cell: (t) => (t.thingTypeName ? <Link href={typeLink(t.thingTypeName)}>{t.thingTypeName}</Link> : "-") },
];

export const certificateColumns: Column<Certificate>[] = [
  { id: "id", header: "Certificate ID", text: (c) => c.certificateId, cell: (c) => <CertificateLink id={c.certificateId ?? ""} /> },
  { id: "status", header: "Status", text: (c) => c.status, cell: (c) => <Status of={c.status} />, width: 140 },
  { id: "created", header: "Created", text: (c) => c.creationDate, cell: (c) => time(c.creationDate), width: 310 },
];

export const groupColumns: Column<GroupNameAndArn>[] = [
  { id: "name", header: "Name", text: (g) => g.groupName, cell: (g) => <Link href={groupLink(g.groupName ?? "")}>{g.groupName}</Link> },
  { id: "arn", header: "ARN", text: (g) => g.groupArn },
];

export const nameColumn = (header: string, link: (name: string) => string): Column<string> => ({ id: "name", header, text: (n) => n, cell: (n) => <Link href={link(n)}>{n}</Link> });

export function CertificateLink({ id }: { id: string }) {
  return (
    <Link href={certificateLink(id)}>
      <span className="words">{id}</span>
    </Link>
  );
}

/** What a policy is attached to, or a thing connects with, by its ARN. */
export function Principal({ arn }: { arn: string }) {
  const id = lastOf(arn);
  if (/^arn:[^:]*:iot:.*:cert\//.test(arn)) return <CertificateLink id={id} />;
  if (/^arn:[^:]*:iot:.*:thinggroup\//.test(arn)) return <Link href={groupLink(id)}>{id}</Link>;
  return <span className="words">{arn}</span>;
}
