import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { CreateAccessKeyCommand, TagUserCommand, type AccessKey } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { Copy } from "../../../kit/Copy";
import { csv, download } from "../../../kit/download";
import { Wizard } from "../../../kit/Wizard";
import type { Params } from "../../service";
import { send } from "../api";

const cases = [
  { value: "cli", label: "Command Line Interface (CLI)", description: "You plan to use this access key to enable the AWS CLI to access your account.", hint: "thingd configure --profile NAME writes a profile with keys, region and endpoint." },
  { value: "local", label: "Local code", description: "You plan to use this access key to enable application code in a local development environment to access your account." },
  { value: "compute", label: "Application running on an AWS compute service", description: "You plan to use this access key to enable application code running elsewhere to access your account.", hint: "A role that is assumed for an hour at a time is safer than a key that lasts." },
  { value: "third", label: "Third-party service", description: "You plan to use this access key to enable access for a third-party application or service that monitors or manages your resources." },
  { value: "outside", label: "Application running outside AWS", description: "You plan to use this access key for something outside that needs access to your account.", hint: "A device is better served by its certificate and a role alias, which give it credentials of an hour." },
  { value: "other", label: "Other", description: "Your use case is not listed here." },
];

/** KeyCreate makes an access key, and shows its secret once. */
export function KeyCreate({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const [use, setUse] = useState("");
  const [description, setDescription] = useState("");
  const [key, setKey] = useState<AccessKey>();
  const back = to(["iam", "users", "details", name], { tab: "security_credentials" });
  const hint = cases.find((c) => c.value === use)?.hint;
  const wrong = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(description) ? undefined : "Letters, digits, spaces and _ . : / = + - @ only.";

  if (key) return <Retrieve name={name} keys={key} back={back} />;
  return (
    <Wizard
      submit="Next"
      onCancel={() => go(back)}
      onSubmit={async () => {
        const made = await send(new CreateAccessKeyCommand({ UserName: name }));
        setKey(made.AccessKey);
        if (!description || !made.AccessKey?.AccessKeyId) return;
        try {
          // As AWS's console keeps it: a tag of the user, by the key's id.
          await send(new TagUserCommand({ UserName: name, Tags: [{ Key: made.AccessKey.AccessKeyId, Value: description }] }));
        } catch (e) {
          notify({ type: "warning", header: "The description is not kept", content: e instanceof Error ? e.message : String(e) });
        }
      }}
      steps={[
        {
          title: "Access key best practices & alternatives",
          description: "Avoid using long-term credentials like access keys to improve your security. Consider the following use cases and alternatives.",
          check: () => (use ? undefined : "Choose a use case."),
          content: (
            <Container header={<Header variant="h2">Use case</Header>}>
              <SpaceBetween size="m">
                <RadioGroup ariaLabel="Use case" value={use} onChange={({ detail }) => setUse(detail.value)} items={cases} />
                {hint && (
                  <Alert type="info" header="Alternative recommended">
                    {hint}
                  </Alert>
                )}
              </SpaceBetween>
            </Container>
          ),
        },
        {
          title: "Set description tag - optional",
          description: "The description for this access key will be attached to this user as a tag and shown alongside the access key. The access key is created by the next step.",
          check: () => wrong,
          content: (
            <Container>
              <FormField label="Description tag value" description="Describe the purpose of this access key and where it will be used." constraintText="Up to 256 characters: letters, digits, spaces and _ . : / = + - @" errorText={wrong}>
                <Input value={description} onChange={({ detail }) => setDescription(detail.value.slice(0, 256))} />
              </FormField>
            </Container>
          ),
        },
      ]}
    />
  );
}

function Retrieve({ name, keys, back }: { name: string; keys: AccessKey; back: string }) {
  const [shown, setShown] = useState(false);
  const id = keys.AccessKeyId ?? "";
  const secret = keys.SecretAccessKey ?? "";
  return (
    <ContentLayout
      header={
        <Header variant="h1" description={`For the user ${name}.`}>
          Retrieve access keys
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Alert type="success" header="Access key created">
          This is the only time that the secret access key can be viewed or downloaded. You cannot recover it later. However, you can create a new access key any time.
        </Alert>
        <Container header={<Header variant="h2">Access key</Header>}>
          <KeyValuePairs
            columns={2}
            minColumnWidth={240}
            items={[
              { label: "Access key", value: <Copy text={id} what="Access key" /> },
              {
                label: "Secret access key",
                value: shown ? (
                  <Copy text={secret} what="Secret access key" />
                ) : (
                  <SpaceBetween direction="horizontal" size="xs">
                    <span>••••••••••••••••</span>
                    <Button variant="inline-link" onClick={() => setShown(true)}>
                      Show
                    </Button>
                  </SpaceBetween>
                ),
              },
            ]}
          />
        </Container>
        <SpaceBetween direction="horizontal" size="xs">
          <Button iconName="download" onClick={() => download(`${name}_accessKeys.csv`, csv([["Access key ID", "Secret access key"], [id, secret]]), "text/csv")}>
            Download .csv file
          </Button>
          <Button variant="primary" onClick={() => go(back)}>
            Done
          </Button>
        </SpaceBetween>
      </SpaceBetween>
    </ContentLayout>
  );
}
