import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import type { Policy } from "@aws-sdk/client-iot";
import { useState } from "react";
import { go } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { download } from "../../../kit/download";
import { FormPage } from "../../../kit/FormPage";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { zip, type ZipFile } from "../../../kit/zip";
import { bytesOf, listPolicies, rootCertificate } from "../api";
import { issue } from "../certificates/issue";
import { policyColumns, thingLink } from "../columns";
import { fileNames, thingRule } from "../names";
import { manyNames, mostThings } from "./manyNames";
import { PropertiesForm } from "./PropertiesForm";
import { noProperties, propertiesFault, registerThing, thingExists } from "./properties";
import Link from "@cloudscape-design/components/link";
import StatusIndicator from "@cloudscape-design/components/status-indicator";

interface Result {
  name: string;
  failed: string[];
}

/** ThingsMany makes things from a list of names, each with a certificate of its own if so chosen. */
export function ThingsMany() {
  const [names, setNames] = useState("");
  const [properties, setProperties] = useState(noProperties);
  const [certificates, setCertificates] = useState(true);
  const [policies, setPolicies] = useState<Policy[]>([]);
  const [tried, setTried] = useState(false);
  const [progress, setProgress] = useState<{ of: number; results: Result[]; files: ZipFile[]; done: boolean }>();
  const list = useLoad(listPolicies, []);
  const { list: wanted, fault } = manyNames(names);

  const run = async () => {
    const results: Result[] = [];
    const files: ZipFile[] = [];
    const root = certificates ? await rootCertificate() : "";
    const tell = (done: boolean) => setProgress({ of: wanted.length, results: [...results], files: [...files], done });
    tell(false);
    for (const name of wanted) {
      const failed: string[] = [];
      try {
        // CreateThing answers well where the same thing is there already; it would get a second certificate.
        if (await thingExists(name)) failed.push("There is a thing of this name already.");
        else {
          const made = certificates ? await issue(true) : undefined;
          if (made) {
            const of = fileNames(made.id);
            const file = (n: string, text: string) => files.push({ name: `${name}/${n}`, content: new Uint8Array(bytesOf(text)) });
            file(of.certificate, made.certificate);
            file(of.privateKey, made.privateKey ?? "");
            file(of.publicKey, made.publicKey ?? "");
            file(of.root, root);
          }
          failed.push(...(await registerThing(name, properties, made?.arn, policies.map((p) => p.policyName ?? ""))));
        }
      } catch (e) {
        failed.push(e instanceof Error ? e.message : String(e));
      }
      results.push({ name, failed });
      tell(false);
    }
    tell(true);
  };

  if (progress) return <Progress {...progress} />;
  return (
    <FormPage
      title="Create many things"
      description="All of them are made alike. Keys are put into one archive, with a folder for each thing."
      submit="Create things"
      onCancel={() => go("#/iot/things")}
      valid={() => {
        setTried(true);
        return !fault && !propertiesFault(properties);
      }}
      onSubmit={run}
    >
      <Container header={<Header variant="h2">Names</Header>}>
        <FormField label="Thing names" description={`One on each line, or with numbers: sensor-[1-20] or gate-[001-250]. ${mostThings.toLocaleString("en-US")} at most.`} constraintText={thingRule} errorText={tried && fault} stretch>
          <Textarea value={names} onChange={({ detail }) => setNames(detail.value)} rows={6} spellcheck={false} placeholder={"sensor-[01-20]"} />
        </FormField>
      </Container>
      <PropertiesForm of={properties} onChange={setProperties} tried={tried} />
      <Container header={<Header variant="h2">Certificates</Header>}>
        <Checkbox checked={certificates} onChange={({ detail }) => setCertificates(detail.checked)} description="Active, and attached to its thing.">
          A certificate for each thing
        </Checkbox>
      </Container>
      {certificates && (
        <List
          variant="container"
          title="Policies of the certificates - optional"
          items={list}
          id={(p) => p.policyName ?? ""}
          columns={policyColumns}
          filter="Search policies"
          empty={{ title: "No policies", text: "They can be attached later." }}
          select="multi"
          selected={policies}
          onSelect={setPolicies}
          page={10}
        />
      )}
    </FormPage>
  );
}

function Progress({ of, results, files, done }: { of: number; results: Result[]; files: ZipFile[]; done: boolean }) {
  const [saved, setSaved] = useState(false);
  const [leaving, leave] = useState(false);
  const failed = results.filter((r) => r.failed.length);
  const back = () => go("#/iot/things");
  return (
    <ContentLayout header={<Header variant="h1">{done ? "Things created" : "Creating things"}</Header>}>
      <SpaceBetween size="l">
        <ProgressBar value={(100 * results.length) / of} label="Things" additionalInfo={`${results.length} of ${of}`} status={done ? (failed.length ? "error" : "success") : "in-progress"} resultText={failed.length ? `${of - failed.length} created, ${failed.length} not or not wholly` : `${of} created`} />
        {done && files.length > 0 && (
          <Alert
            type="warning"
            header="Download the keys now"
            action={
              <Button
                iconName="download"
                onClick={() => {
                  download("things.zip", zip(files), "application/zip");
                  setSaved(true);
                }}
              >
                Download all keys
              </Button>
            }
          >
            Private keys cannot be retrieved after you leave this page.
          </Alert>
        )}
        <List
          variant="container"
          title="Results"
          items={{ data: results, loading: false, reload: async () => {} }}
          id={(r) => r.name}
          columns={[
            { id: "name", header: "Thing", text: (r) => r.name, cell: (r) => <Link href={thingLink(r.name)}>{r.name}</Link> },
            { id: "result", header: "Result", text: (r) => r.failed.join(" ") || "Created", cell: (r) => <StatusIndicator type={r.failed.length ? "error" : "success"}>{r.failed.join(" ") || "Created"}</StatusIndicator> },
          ]}
          empty={{ title: "None yet" }}
        />
        {done && (
          <Box float="right">
            <Button variant="primary" onClick={() => (files.length && !saved ? leave(true) : back())}>
              Done
            </Button>
          </Box>
        )}
      </SpaceBetween>
      {leaving && (
        <ConfirmModal title="The keys are not downloaded" verb="Leave without them" onDismiss={() => leave(false)} onConfirm={async () => back()}>
          They cannot be had after this page. Without them nothing can connect with these certificates.
        </ConfirmModal>
      )}
    </ContentLayout>
  );
}
