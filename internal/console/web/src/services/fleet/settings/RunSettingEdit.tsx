import Button from "@cloudscape-design/components/button";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { Part } from "../../../kit/DetailPage";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useAction, useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { getRunSetting, listRunSettings, putRunSetting } from "../api";
import { nameFault, type RunSettings } from "../model";
import { Fields } from "./Fields";
import { faultsOf, formOf, settingsOf, type Form } from "./form";

const list = "#/fleet/run-settings";

/** RunSettingEdit changes a run setting. */
export function RunSettingEdit({ params: { name = "" } }: { params: Params }) {
  const setting = useLoad(() => getRunSetting(name), [name]);
  return setting.data ? (
    <Editor title={name} start={setting.data.runSettings} save={(s) => putRunSetting(name, s)} />
  ) : (
    <ContentLayout header={<Header variant="h1">{name}</Header>}>
      <Part of={setting}>{() => null}</Part>
    </ContentLayout>
  );
}

/** RunSettingCreate makes a run setting, and does not replace another. */
export function RunSettingCreate() {
  const [name, setName] = useState("");
  const [tried, setTried] = useState(false);
  return (
    <Editor
      title="Create run setting"
      start={{ clients: 1, iterations: 1 }}
      valid={() => {
        setTried(true);
        return !nameFault(name);
      }}
      save={async (s) => {
        if ((await listRunSettings()).some((r) => r.runSettingName === name)) throw new Error(`There is a run setting ${name} already.`);
        await putRunSetting(name, s);
      }}
      before={
        <Container>
          <FormField label="Name" errorText={tried && nameFault(name)} constraintText="Up to 128 letters, digits, and the characters : _ -">
            <Input value={name} onChange={({ detail }) => setName(detail.value)} placeholder="night" autoComplete={false} autoFocus />
          </FormField>
        </Container>
      }
    />
  );
}

interface Props {
  title: string;
  start: RunSettings;
  save: (s: RunSettings) => Promise<unknown>;
  valid?: () => boolean;
  before?: React.ReactNode;
}

function Editor({ title, start, save, valid, before }: Props) {
  const notify = useNotify();
  const action = useAction();
  const [form, setForm] = useState<Form>(() => formOf(start));
  const [tried, setTried] = useState(false);
  const faults = faultsOf(form);
  const submit = async () => {
    setTried(true);
    if (!(valid?.() ?? true) || Object.keys(faults).length > 0) return;
    if (!(await action.run(() => save(settingsOf(form))))) return;
    notify({ type: "success", content: "Run setting saved." });
    go(list);
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (!action.busy) void submit();
      }}
    >
      <ContentLayout
        header={
          <Header
            variant="h1"
            description="How many devices run a test, how often and how fast."
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button formAction="none" variant="link" onClick={() => go(list)}>
                  Cancel
                </Button>
                <Button variant="primary" loading={action.busy}>
                  Save
                </Button>
              </SpaceBetween>
            }
          >
            <span className="words">{title}</span>
          </Header>
        }
      >
        <SpaceBetween size="l">
          <ErrorBox error={action.error} />
          {tried && Object.keys(faults).length > 0 && <ErrorBox what="The run setting is not saved yet" error={new Error("What is marked below cannot be read.")} />}
          {before}
          <Fields form={form} faults={faults} onChange={(part) => setForm((was) => ({ ...was, ...part }))} />
        </SpaceBetween>
      </ContentLayout>
    </form>
  );
}
