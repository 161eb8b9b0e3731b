import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import Tiles from "@cloudscape-design/components/tiles";
import Table from "@cloudscape-design/components/table";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import { AttachRolePolicyCommand, CreateRoleCommand, type Policy } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { JsonEditor } from "../../../kit/JsonEditor";
import { tagFault, TagsSection, type Tag } from "../../../kit/Tags";
import { Wizard } from "../../../kit/Wizard";
import { useSession } from "../../../session/identity";
import { send } from "../api";
import { nameFault, nameRule } from "../names";
import { PolicyEditor, useDocument } from "../PolicyEditor";
import { PolicyPicker } from "../PolicyPicker";
import { services, trustAccount, trustService } from "./trust";

type Entity = "service" | "account" | "custom";

/** RoleCreate makes a role: who may assume it, and what it may do. */
export function RoleCreate() {
  const notify = useNotify();
  const { who } = useSession();
  const [entity, setEntity] = useState<Entity>("service");
  const [service, setService] = useState(services[0]?.value ?? "");
  const [other, setOther] = useState(false);
  const [account, setAccount] = useState("");
  const [needsID, setNeedsID] = useState(false);
  const [externalID, setExternalID] = useState("");
  const [mfa, setMFA] = useState(false);
  const custom = useDocument(trustService("credentials.iot.amazonaws.com"), "trust");
  const [policies, setPolicies] = useState<Policy[]>([]);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);

  const trust = entity === "service" ? trustService(service) : entity === "account" ? trustAccount(other ? account : who.account, needsID ? externalID : undefined, mfa) : custom.text;

  const submit = async () => {
    try {
      await send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument: trust, Description: description || undefined, Tags: tags }));
    } catch (e) {
      custom.refuse(trust, e);
      throw e;
    }
    const failed: string[] = [];
    for (const p of policies) {
      await send(new AttachRolePolicyCommand({ RoleName: name, PolicyArn: p.Arn })).catch((e: unknown) => failed.push(e instanceof Error ? e.message : String(e)));
    }
    if (failed.length) notify({ type: "error", header: `Role ${name} was created, but not all of it`, content: failed.join(" ") });
    else notify({ type: "success", header: `Role ${name} created`, action: <Button href={to(["iam", "roles", "details", name])}>View role</Button> });
    go("#/iam/roles");
  };

  return (
    <Wizard
      submit="Create role"
      onCancel={() => go("#/iam/roles")}
      onSubmit={submit}
      failedIn={(e) => (e instanceof Error && e.name.startsWith("MalformedPolicy") ? 0 : undefined)}
      steps={[
        {
          title: "Select trusted entity",
          check: () => {
            setTried(true);
            if (entity === "custom") return custom.fault();
            if (entity === "account" && other && !/^\d{12}$/.test(account)) return "Enter the 12 digits of the account.";
            return entity === "account" && needsID && !externalID ? "Enter the external ID." : undefined;
          },
          content: (
            <SpaceBetween size="l">
              <Container header={<Header variant="h2">Trusted entity type</Header>}>
                <Tiles
                  ariaLabel="Trusted entity type"
                  value={entity}
                  onChange={({ detail }) => setEntity(detail.value as Entity)}
                  columns={3}
                  items={[
                    { value: "service", label: "AWS service", description: "Allow services like IoT to perform actions in this account." },
                    { value: "account", label: "AWS account", description: "Allow users of this account or another one to perform actions in this account." },
                    { value: "custom", label: "Custom trust policy", description: "Create a custom trust policy to enable others to perform actions in this account." },
                  ]}
                />
              </Container>
              {entity === "service" && (
                <Container header={<Header variant="h2">Use case</Header>}>
                  <RadioGroup ariaLabel="Use case" value={service} onChange={({ detail }) => setService(detail.value)} items={services} />
                </Container>
              )}
              {entity === "account" && (
                <Container header={<Header variant="h2">An AWS account</Header>}>
                  <SpaceBetween size="m">
                    <RadioGroup
                      ariaLabel="An AWS account"
                      value={other ? "other" : "this"}
                      onChange={({ detail }) => setOther(detail.value === "other")}
                      items={[
                        { value: "this", label: `This account (${who.account})` },
                        { value: "other", label: "Another AWS account" },
                      ]}
                    />
                    {other && (
                      <FormField label="Account ID" errorText={tried && !/^\d{12}$/.test(account) && "An account ID has 12 digits."}>
                        <Input value={account} onChange={({ detail }) => setAccount(detail.value.trim())} inputMode="numeric" />
                      </FormField>
                    )}
                    <Checkbox checked={needsID} onChange={({ detail }) => setNeedsID(detail.checked)} description="Best practice when a third party will assume this role.">
                      Require external ID
                    </Checkbox>
                    {needsID && (
                      <FormField label="External ID">
                        <Input value={externalID} onChange={({ detail }) => setExternalID(detail.value)} />
                      </FormField>
                    )}
                    <Checkbox checked={mfa} onChange={({ detail }) => setMFA(detail.checked)}>
                      Require MFA
                    </Checkbox>
                  </SpaceBetween>
                </Container>
              )}
              {entity === "custom" && (
                <Container header={<Header variant="h2">Custom trust policy</Header>}>
                  <PolicyEditor document={custom} kind="trust" label="Custom trust policy" />
                </Container>
              )}
            </SpaceBetween>
          ),
        },
        { title: "Add permissions", optional: true, content: <PolicyPicker selected={policies} onSelect={setPolicies} /> },
        {
          title: "Name, review, and create",
          check: () => {
            setTried(true);
            return (nameFault(name, "role name", 64) && "The name will not do.") ?? tagFault(tags);
          },
          content: (
            <SpaceBetween size="l">
              <Container header={<Header variant="h2">Role details</Header>}>
                <SpaceBetween size="m">
                  <FormField label="Role name" description="Enter a meaningful name to identify this role." constraintText={nameRule(64)} errorText={tried && name !== "" && nameFault(name, "role name", 64)}>
                    <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
                  </FormField>
                  <FormField label="Description" constraintText="Up to 1,000 characters.">
                    <Textarea value={description} onChange={({ detail }) => setDescription(detail.value)} rows={2} />
                  </FormField>
                </SpaceBetween>
              </Container>
              <Container header={<Header variant="h2">Trust policy</Header>}>
                <JsonEditor label="Trust policy" value={trust} height={220} />
              </Container>
              <Table
                variant="container"
                header={<Header variant="h2">Permissions policy summary</Header>}
                ariaLabels={{ tableLabel: "Permissions policy summary" }}
                items={policies}
                columnDefinitions={[{ id: "name", header: "Policy name", cell: (p) => p.PolicyName, isRowHeader: true }]}
                empty={<Box textAlign="center">The role has no permissions yet.</Box>}
              />
              <TagsSection tags={tags} onChange={setTags} />
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}
