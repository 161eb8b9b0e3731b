import Button from "@cloudscape-design/components/button";
import type { GroupNameAndArn } from "@aws-sdk/client-iot";
import { DeleteThingGroupCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { listGroups, send } from "../api";
import { groupColumns } from "../columns";

/** Groups is the list of the account's thing groups. */
export function Groups() {
  const notify = useNotify();
  const groups = useLoad(() => listGroups(), [], 15_000);
  const [selected, select] = useState<GroupNameAndArn[]>([]);
  const [doomed, doom] = useState<string>();
  return (
    <>
      <List
        title="Thing groups"
        description="Thing groups allow you to manage several things at once by categorizing them into groups. Groups can hold groups; a policy of a group holds for all things in it and below."
        items={groups}
        id={(g) => g.groupName ?? ""}
        columns={groupColumns}
        filter="Search thing groups"
        empty={{ title: "You don't have any thing groups yet", text: "A group categorizes things, and gives them policies.", action: <Button href="#/iot/thing-groups/create">Create a thing group</Button> }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still[0]?.groupName)}>
              Delete
            </Button>
            <Button variant="primary" href="#/iot/thing-groups/create">
              Create
            </Button>
          </>
        )}
      />
      {doomed !== undefined && (
        <DeleteGroup
          name={doomed}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: `Thing group ${doomed} deleted.` });
            return groups.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteGroup({ name, onDismiss, onDeleted }: { name: string; onDismiss: () => void; onDeleted: () => void | Promise<void> }) {
  return (
    <ConfirmModal
      title={`Delete ${name}?`}
      verb="Delete"
      typed={name}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await send(new DeleteThingGroupCommand({ thingGroupName: name }));
        await onDeleted();
      }}
    >
      Its things stay, without the policies that they have through it. A group that holds groups cannot be deleted.
    </ConfirmModal>
  );
}
