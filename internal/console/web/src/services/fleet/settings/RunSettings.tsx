import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { dateOf, deleteRunSetting, listRunSettings, type RunSetting } from "../api";
import { formOf } from "./form";

/** RunSettings is the list of run settings, of which "default" is always there. */
export function RunSettings() {
  const notify = useNotify();
  const settings = useLoad(listRunSettings, [], 15_000);
  const [selected, select] = useState<RunSetting[]>([]);
  const [doomed, doom] = useState<RunSetting>();
  return (
    <>
      <List
        title="Run Settings"
        description="A run setting says how many devices a test is run with, how often and how fast."
        items={settings}
        id={(s) => s.runSettingName}
        columns={[
          { id: "name", header: "Name", text: (s) => s.runSettingName, cell: (s) => <Link href={to(["fleet", "run-settings", "details", s.runSettingName])}>{s.runSettingName}</Link> },
          { id: "clients", header: "Clients", text: (s) => s.runSettings.clients || 1 },
          { id: "iterations", header: "Iterations", text: (s) => s.runSettings.iterations || (formOf(s.runSettings).duration ? "Until it is over" : 1) },
          { id: "interval", header: "Interval", text: (s) => formOf(s.runSettings).interval },
          { id: "duration", header: "Duration", text: (s) => formOf(s.runSettings).duration },
          { id: "thresholds", header: "Thresholds", text: (s) => s.runSettings.thresholds?.length ?? 0 },
          { id: "modified", header: "Last modified", text: (s) => dateOf(s.lastModifiedAt), cell: (s) => time(dateOf(s.lastModifiedAt)) },
        ]}
        filter="Search run settings"
        empty={{ title: "No run settings", action: <Button href="#/fleet/run-settings/create">Create run setting</Button> }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0 || still[0]?.createdAt === undefined} onClick={() => doom(still[0])}>
              Delete
            </Button>
            <Button disabled={still.length === 0} href={still[0] && to(["fleet", "run-settings", "details", still[0].runSettingName])}>
              Edit
            </Button>
            <Button variant="primary" href="#/fleet/run-settings/create">
              Create run setting
            </Button>
          </>
        )}
      />
      {doomed && (
        <ConfirmModal
          title={`Delete ${doomed.runSettingName}?`}
          verb="Delete"
          onDismiss={() => doom(undefined)}
          onConfirm={async () => {
            await deleteRunSetting(doomed.runSettingName);
            select([]);
            notify({ type: "success", content: `Run setting ${doomed.runSettingName} deleted.` });
            await settings.reload();
          }}
        >
          {doomed.runSettingName === "default" ? "The run setting default is then as it was at first." : "Runs that were started with it keep what it said. This cannot be undone."}
        </ConfirmModal>
      )}
    </>
  );
}
