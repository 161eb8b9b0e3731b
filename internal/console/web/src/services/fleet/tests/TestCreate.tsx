import Alert from "@cloudscape-design/components/alert";
import Container from "@cloudscape-design/components/container";
import FileInput from "@cloudscape-design/components/file-input";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Tiles from "@cloudscape-design/components/tiles";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { FormPage } from "../../../kit/FormPage";
import { createTest } from "../api";
import { documentOf, nameFault, readModel, start, type Model } from "../model";

/** TestCreate makes a test from nothing, or from a device model in a file. */
export function TestCreate() {
  const notify = useNotify();
  const [name, setName] = useState("");
  const [from, setFrom] = useState<"new" | "file">("new");
  const [file, setFile] = useState<{ name: string; model: Model | { fault: string } }>();
  const [tried, setTried] = useState(false);
  const fault = from === "new" ? undefined : !file ? "Choose a file." : "fault" in file.model ? file.model.fault : undefined;
  const read = async (f: File) => {
    const model = readModel(await f.text());
    setFile({ name: f.name, model });
    if (!("fault" in model) && name === "" && !nameFault(model.name)) setName(model.name);
  };
  return (
    <FormPage
      title="Create test"
      description="Samples are a start too: Create from Sample, on the list of tests."
      submit="Create test"
      onCancel={() => go("#/fleet/tests")}
      valid={() => {
        setTried(true);
        return !nameFault(name) && !fault;
      }}
      onSubmit={async () => {
        const model = from === "file" && file && !("fault" in file.model) ? file.model : start(name);
        await createTest(name, { modelDocument: documentOf(model) });
        notify({ type: "success", content: `Test ${name} created.` });
        go(to(["fleet", "tests", "details", name]));
      }}
    >
      <Container header={<Header variant="h2">Test</Header>}>
        <SpaceBetween size="m">
          <FormField label="Test name" constraintText="Up to 128 letters, digits, and the characters : _ -" errorText={tried && nameFault(name)}>
            <Input value={name} onChange={({ detail }) => setName(detail.value)} placeholder="my-device" autoComplete={false} />
          </FormField>
          <FormField label="Device model" errorText={tried && fault}>
            <SpaceBetween size="m">
              <Tiles
                ariaLabel="Device model"
                columns={2}
                value={from}
                onChange={({ detail }) => setFrom(detail.value as "new" | "file")}
                items={[
                  { value: "new", label: "New device model", description: "A device that counts, to be changed." },
                  { value: "file", label: "Import", description: "A device model that was exported as a JSON document." },
                ]}
              />
              {from === "file" && (
                <SpaceBetween size="xs">
                  <FileInput value={[]} accept=".json,application/json" ariaLabel="Choose a device model" onChange={({ detail }) => detail.value[0] && void read(detail.value[0])}>
                    Choose file
                  </FileInput>
                  {file && ("fault" in file.model ? <Alert type="error">{`${file.name}: ${file.model.fault}`}</Alert> : <StatusIndicator>{file.name}</StatusIndicator>)}
                </SpaceBetween>
              )}
            </SpaceBetween>
          </FormField>
        </SpaceBetween>
      </Container>
    </FormPage>
  );
}
