import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { Policy } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { ErrorBox } from "../../../kit/ErrorBox";
import { FormPage } from "../../../kit/FormPage";
import { List } from "../../../kit/ListPage";
import { useAction, useLoad } from "../../../kit/load";
import { listPolicies } from "../api";
import { WithoutKey } from "../certificates/CertificateCreate";
import { Choice } from "../certificates/Choice";
import { Downloads } from "../certificates/Downloads";
import type { Issued } from "../certificates/issue";
import { policyColumns, thingLink } from "../columns";
import { thingRule } from "../names";
import { PropertiesForm } from "./PropertiesForm";
import { noProperties, propertiesFault, registerThing, thingExists, thingFault } from "./properties";

type Step = "properties" | "certificate" | "downloads" | "policies";

/**
 * ThingCreate makes a thing: its properties, its certificate, whose keys are to
 * be had once, and the policies of that. The thing itself is made at the end.
 */
export function ThingCreate() {
  const notify = useNotify();
  const [step, setStep] = useState<Step>("properties");
  const [name, setName] = useState("");
  const [properties, setProperties] = useState(noProperties);
  const [made, setMade] = useState<Issued>();
  const [active, setActive] = useState(false);
  const [saved, setSaved] = useState(false);
  const [policies, setPolicies] = useState<Policy[]>([]);
  const [asking, ask] = useState<"leave" | "policies" | "done">();
  const action = useAction();

  const register = (chosen: Policy[] = []) =>
    action.run(async () => {
      const failed = await registerThing(name, properties, made?.arn, chosen.map((p) => p.policyName ?? ""));
      if (failed.length) notify({ type: "error", header: `Thing ${name} was created, but not all of it`, content: failed.join(" ") });
      else notify({ type: "success", content: `Thing ${name} created.`, action: <Button href={thingLink(name)}>View thing</Button> });
      go("#/iot/things");
    });
  const guarded = (next: "policies" | "done") => {
    if (!saved) return ask(next);
    return next === "policies" ? setStep("policies") : void register();
  };
  const leave = () => (made ? ask("leave") : go("#/iot/things"));
  const titles: Record<Step, string> = { properties: "Add your device to the thing registry", certificate: "Add a certificate for your thing", downloads: "Certificate created!", policies: "Add a policy for your thing" };
  const head = (
    <Header variant="h1" description={`Create a thing · Step ${step === "properties" ? 1 : step === "policies" ? 3 : 2} of 3${step === "properties" ? "" : ` · ${name}`}`}>
      {titles[step]}
    </Header>
  );

  if (step === "properties") {
    return <PropertiesStep name={name} onName={setName} of={properties} onChange={setProperties} onNext={() => setStep("certificate")} />;
  }
  return (
    <ContentLayout header={head}>
      <SpaceBetween size="l">
        {step === "certificate" && (
          <Choice
            onIssued={(issued) => {
              setMade(issued);
              setSaved(!issued.privateKey);
              setStep("downloads");
            }}
            onOwn={() => go("#/iot/certificates/register")}
            more={
              <Container
                header={
                  <Header
                    variant="h2"
                    description="You will need to add a certificate to your thing later before your device can connect to AWS IoT."
                    actions={
                      <Button loading={action.busy} onClick={() => void register()}>
                        Create thing without certificate
                      </Button>
                    }
                  >
                    Skip certificate and create thing
                  </Header>
                }
              />
            }
          />
        )}
        {step === "downloads" && made && <Downloads of={made} active={active} onActive={() => setActive(true)} onSaved={() => setSaved(true)} />}
        {step === "policies" && <PoliciesStep active={active} selected={policies} onSelect={setPolicies} />}
        <ErrorBox error={action.error} what="The thing is not created" />
        <Box float="right">
          <SpaceBetween direction="horizontal" size="xs">
            <Button variant="link" onClick={leave}>
              Cancel
            </Button>
            {step === "certificate" && <Button onClick={() => setStep("properties")}>Back</Button>}
            {step === "downloads" && (
              <>
                <Button loading={action.busy} onClick={() => guarded("done")}>
                  Done
                </Button>
                <Button variant="primary" onClick={() => guarded("policies")}>
                  Attach a policy
                </Button>
              </>
            )}
            {step === "policies" && (
              <Button variant="primary" loading={action.busy} onClick={() => void register(policies)}>
                Register thing
              </Button>
            )}
          </SpaceBetween>
        </Box>
      </SpaceBetween>
      {(asking === "policies" || asking === "done") && (
        <WithoutKey
          verb="Go on without it"
          onDismiss={() => ask(undefined)}
          onConfirm={async () => {
            if (asking === "policies") setStep("policies");
            else await register();
          }}
        />
      )}
      {asking === "leave" && (
        <ConfirmModal title={`Leave without creating ${name}?`} verb="Leave" onDismiss={() => ask(undefined)} onConfirm={async () => go("#/iot/certificates")}>
          The certificate {made?.id.slice(0, 10)}… has been created and stays, {active ? "active" : "inactive"}, in the list of certificates. Its private key cannot be downloaded any more.
        </ConfirmModal>
      )}
    </ContentLayout>
  );
}

interface PropertiesProps {
  name: string;
  onName: (name: string) => void;
  of: typeof noProperties;
  onChange: (p: typeof noProperties) => void;
  onNext: () => void;
}

function PropertiesStep({ name, onName, of, onChange, onNext }: PropertiesProps) {
  const [tried, setTried] = useState(false);
  const [taken, setTaken] = useState<string>();
  const fault = thingFault(name) ?? (taken === name ? `There is a thing ${name} already.` : undefined);
  return (
    <FormPage
      title="Add your device to the thing registry"
      description="Create a thing · Step 1 of 3. This step creates an entry in the thing registry and a thing shadow for your device."
      submit="Next"
      onCancel={() => go("#/iot/things")}
      valid={() => {
        setTried(true);
        return !fault && !propertiesFault(of);
      }}
      onSubmit={async () => {
        if (await thingExists(name)) setTaken(name);
        else onNext();
      }}
    >
      <Container header={<Header variant="h2">Thing properties</Header>}>
        <FormField label="Name" constraintText={thingRule} errorText={tried && fault}>
          <Input value={name} onChange={({ detail }) => onName(detail.value)} autoComplete={false} />
        </FormField>
      </Container>
      <PropertiesForm of={of} onChange={onChange} tried={tried} shadow />
    </FormPage>
  );
}

function PoliciesStep({ active, selected, onSelect }: { active: boolean; selected: Policy[]; onSelect: (p: Policy[]) => void }) {
  const policies = useLoad(listPolicies, []);
  return (
    <SpaceBetween size="l">
      {!active && <Alert type="info">The certificate is inactive: activate it before its device connects.</Alert>}
      <List
        variant="container"
        title="Policies"
        description="Select a policy to attach to this certificate:"
        items={policies}
        id={(p) => p.policyName ?? ""}
        columns={policyColumns}
        filter="Search policies"
        empty={{
          title: "No policies",
          text: "There are no policies yet. One can be attached later.",
          action: (
            <Button href="#/iot/policies/create" target="_blank" iconName="external" iconAlign="right">
              Create a policy
            </Button>
          ),
        }}
        select="multi"
        selected={selected}
        onSelect={onSelect}
        page={20}
      />
    </SpaceBetween>
  );
}
