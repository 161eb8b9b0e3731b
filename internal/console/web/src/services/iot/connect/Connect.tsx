import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Multiselect from "@cloudscape-design/components/multiselect";
import RadioGroup from "@cloudscape-design/components/radio-group";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { CreatePolicyCommand, DeletePolicyCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { go } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { Part } from "../../../kit/DetailPage";
import { download } from "../../../kit/download";
import { isCode } from "../../../kit/errors";
import { FormPage } from "../../../kit/FormPage";
import { useLoad } from "../../../kit/load";
import { useMany } from "../../../kit/many";
import { useSession } from "../../../session/identity";
import { own } from "../../../session/own";
import { region } from "../../../session/region";
import { endpoint, listAliases, listPolicies, pageOfThings, send } from "../api";
import { thingLink } from "../columns";
import { aliasPattern, nameFault, thingRule } from "../names";
import { thingExists } from "../things/properties";
import { startPolicy } from "./startPolicy";

/** What CreateDeviceKit answers (internal/api/overlay/thingd.json). */
interface Kit {
  ThingName: string;
  CertificateId: string;
  FileName: string;
  Kit: string; // base64
}

/** Connect sets a device up in one go: a thing, a certificate, policies, and all its files as one archive. */
export function Connect() {
  const { who } = useSession();
  const host = useLoad(() => endpoint("iot:Data-ATS"), []);
  const things = useMany((next) => pageOfThings({}, next), [], "things");
  const policies = useLoad(listPolicies, []);
  const aliases = useLoad(listAliases, []);
  const [how, setHow] = useState<"new" | "old">("new");
  const [name, setName] = useState("");
  const [chosen, choose] = useState<string[]>([]);
  const [make, setMake] = useState<"start" | "own">("start");
  const [alias, setAlias] = useState("");
  const [stream, setStream] = useState("");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const [kit, setKit] = useState<Kit>();
  const [taken, setTaken] = useState<string>();

  const fault = {
    name: nameFault(name, "thing name") ?? (how === "new" && taken === name ? `There is a thing ${name} already.` : undefined),
    policies: make === "own" && chosen.length > 10 ? "Ten policies at most." : undefined,
    alias: alias ? nameFault(alias, "role alias", aliasPattern) : undefined,
    stream: stream && !/^[a-zA-Z0-9_.-]{1,256}$/.test(stream) ? "Up to 256 letters, digits, and _ . -" : undefined,
    password: /^[ -~]{8,128}$/.test(password) ? undefined : "From 8 to 128 characters of ASCII.",
  };
  if (kit) return <Made kit={kit} onMore={() => (setKit(undefined), setName(""), setPassword(""), setTried(false))} />;
  return (
    <FormPage
      title="Connect one device"
      description="Makes a certificate for a thing and a kit of all files that its device needs, with instructions in which every value is filled in."
      submit="Create connection kit"
      onCancel={() => go("#/iot")}
      valid={() => {
        setTried(true);
        return Object.values(fault).every((f) => !f);
      }}
      onSubmit={async () => {
        // The operation takes a thing that is there for what it was to make.
        if (how === "new" && (await thingExists(name))) return setTaken(name);
        const policyName = `${name}-Policy`;
        const madePolicy = make === "start" && (await makePolicy(policyName, startPolicy(region(), who.account, name)));
        try {
          setKit(
            await own<Kit>("POST", "/thingd/device-kits", {
              ThingName: name,
              CreateThing: how === "new",
              PolicyNames: make === "start" ? [policyName] : chosen,
              RoleAlias: alias || undefined,
              StreamName: stream || undefined,
              Password: password,
            }),
          );
        } catch (e) {
          if (madePolicy) await send(new DeletePolicyCommand({ policyName })).catch(() => {}); // what went wrong first is told
          throw e;
        }
      }}
    >
      <Container header={<Header variant="h2">Prepare your device</Header>}>
        <Part of={host}>
          {(address) => (
            <SpaceBetween size="xs">
              <Box>The device must be able to reach the endpoint. On it, try:</Box>
              <div className="words">
                <Copy text={`ping ${address}`} what="Command" />
              </div>
            </SpaceBetween>
          )}
        </Part>
      </Container>
      <Container header={<Header variant="h2">Register and secure your device</Header>}>
        <SpaceBetween size="m">
          <FormField label="Thing">
            <RadioGroup
              value={how}
              onChange={({ detail }) => setHow(detail.value as typeof how)}
              items={[
                { value: "new", label: "Create a new thing" },
                { value: "old", label: "Choose an existing thing", description: "It gets one more certificate." },
              ]}
            />
          </FormField>
          {how === "new" ? (
            <FormField label="Thing name" constraintText={thingRule} errorText={tried && fault.name}>
              <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
            </FormField>
          ) : (
            <FormField label="Existing thing" errorText={tried && fault.name}>
              <Select
                ariaLabel="Existing thing"
                placeholder="Choose a thing"
                filteringType="auto"
                selectedOption={name ? { value: name, label: name } : null}
                onChange={({ detail }) => setName(detail.selectedOption.value ?? "")}
                options={(things.data ?? []).map((t) => ({ value: t.thingName ?? "", label: t.thingName ?? "" }))}
                statusType={things.loading && !things.data ? "loading" : "finished"}
                empty="No things"
              />
            </FormField>
          )}
          <FormField label="Policies" errorText={tried && fault.policies}>
            <RadioGroup
              value={make}
              onChange={({ detail }) => setMake(detail.value as typeof make)}
              items={[
                { value: "start", label: `Create the policy ${name || "THING"}-Policy`, description: "The device may connect by its name, use the topics THING/… and sdk/test/…, and its own shadows." },
                { value: "own", label: "Choose policies" },
              ]}
            />
          </FormField>
          {make === "own" && (
            <Multiselect
              ariaLabel="Policies to attach"
              placeholder="Choose policies"
              filteringType="auto"
              selectedOptions={chosen.map((c) => ({ value: c, label: c }))}
              onChange={({ detail }) => choose(detail.selectedOptions.map((o) => o.value ?? ""))}
              options={(policies.data ?? []).map((p) => ({ value: p.policyName ?? "", label: p.policyName ?? "" }))}
              statusType={policies.loading && !policies.data ? "loading" : "finished"}
              empty="No policies"
            />
          )}
          <FormField label="Password of the key stores" description="The kit has the key as PEM too, and in a PKCS #12 file and a Java key store (Eclipse Kura) of this password." constraintText="From 8 to 128 characters." errorText={tried && fault.password}>
            <Input type="password" autoComplete="new-password" value={password} onChange={({ detail }) => setPassword(detail.value)} />
          </FormField>
          <ExpandableSection headerText="Kinesis Video and other services - optional">
            <SpaceBetween size="m">
              <FormField label="Role alias" description="By it the device gets temporary credentials." errorText={tried && fault.alias}>
                <Select
                  ariaLabel="Role alias"
                  selectedOption={alias ? { value: alias, label: alias } : { value: "", label: "None" }}
                  onChange={({ detail }) => setAlias(detail.selectedOption.value ?? "")}
                  options={[{ value: "", label: "None" }, ...(aliases.data ?? []).map((a) => ({ value: a, label: a }))]}
                />
              </FormField>
              <FormField label="Stream name" description="Of Kinesis Video; the thing's name where it is left empty." errorText={tried && fault.stream}>
                <Input value={stream} onChange={({ detail }) => setStream(detail.value)} />
              </FormField>
            </SpaceBetween>
          </ExpandableSection>
        </SpaceBetween>
      </Container>
    </FormPage>
  );
}

/** makePolicy makes a policy unless there is one of its name, of an earlier kit or somebody's own, which stays as it is. It says whether it did. */
async function makePolicy(policyName: string, policyDocument: string): Promise<boolean> {
  try {
    await send(new CreatePolicyCommand({ policyName, policyDocument }));
    return true;
  } catch (e) {
    if (!isCode(e, "ResourceAlreadyExistsException")) throw e;
    return false;
  }
}

function Made({ kit, onMore }: { kit: Kit; onMore: () => void }) {
  const [saved, setSaved] = useState(false);
  const [leaving, leave] = useState(false);
  const save = () => {
    download(kit.FileName, Uint8Array.from(atob(kit.Kit), (c) => c.charCodeAt(0)), "application/zip");
    setSaved(true);
  };
  const done = () => go(thingLink(kit.ThingName) + "?tab=activity");
  return (
    <ContentLayout header={<Header variant="h1">Download connection kit</Header>}>
      <SpaceBetween size="l">
        <Alert type="warning" header="This is the only time that you can download the kit">
          The private key in it is nowhere else.
        </Alert>
        <Container
          header={
            <Header
              variant="h2"
              actions={
                <Button iconName="download" variant="primary" onClick={save}>
                  Download connection kit
                </Button>
              }
            >
              Connection kit
            </Header>
          }
        >
          <KeyValuePairs
            columns={3}
            minColumnWidth={200}
            items={[
              { label: "Thing", value: kit.ThingName },
              { label: "File", value: <span className="words">{kit.FileName}</span> },
              { label: "Certificate", value: <span className="words">{kit.CertificateId}</span> },
            ]}
          />
        </Container>
        <Container header={<Header variant="h2">Run the connection kit</Header>}>
          <ol>
            <li>Copy the file to the device, and unpack it there: unzip {kit.FileName}</li>
            <li>README.md in it has the commands for MQTT, Python, JavaScript, Java, Eclipse Kura and Kinesis Video, with every value filled in.</li>
            <li>The thing's page shows, under Activity, when the device connects.</li>
          </ol>
        </Container>
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            {saved && <Button onClick={onMore}>Connect another device</Button>}
            <Button onClick={() => (saved ? done() : leave(true))}>Continue to the thing</Button>
          </SpaceBetween>
        </Box>
      </SpaceBetween>
      {leaving && (
        <ConfirmModal title="The kit is not downloaded" verb="Leave without it" onDismiss={() => leave(false)} onConfirm={async () => done()}>
          Its private key cannot be had after this page.
        </ConfirmModal>
      )}
    </ContentLayout>
  );
}
