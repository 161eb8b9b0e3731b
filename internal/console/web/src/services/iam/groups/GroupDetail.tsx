import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { AddUserToGroupCommand, GetGroupCommand, RemoveUserFromGroupCommand, type User } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { send, usersIn } from "../api";
import { Permissions } from "../Permissions";
import { UserList } from "./GroupCreate";
import { DeleteGroup } from "./Groups";

/** GroupDetail is the screen of a group of users. */
export function GroupDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const group = useLoad(async () => (await send(new GetGroupCommand({ GroupName: name, MaxItems: 1 }))).Group, [name], 30_000);
  const [doomed, doom] = useState(false);
  return (
    <>
      <DetailPage
        title={name}
        of={group}
        summary={(g) => [
          { label: "User group name", value: g.GroupName },
          { label: "Creation time", value: time(g.CreateDate) },
          { label: "ARN", value: <Copy text={g.Arn ?? ""} what="ARN" /> },
        ]}
        actions={() => <Button onClick={() => doom(true)}>Delete</Button>}
        tabs={() => [
          { id: "users", label: "Users", content: <Users name={name} /> },
          { id: "permissions", label: "Permissions", content: <Permissions kind="group" name={name} /> },
        ]}
      />
      {doomed && (
        <DeleteGroup
          name={name}
          onDismiss={() => doom(false)}
          onDeleted={() => {
            notify({ type: "success", content: `Group ${name} deleted.` });
            go("#/iam/groups");
          }}
        />
      )}
    </>
  );
}

function Users({ name }: { name: string }) {
  const users = useLoad(() => usersIn(name), [name], 30_000);
  const [selected, select] = useState<User[]>([]);
  const [dialog, setDialog] = useState<"add" | "remove">();
  const [picked, pick] = useState<User[]>([]);
  return (
    <>
      <List
        variant="container"
        title="Users in this group"
        items={users}
        id={(u) => u.UserName ?? ""}
        columns={[
          { id: "name", header: "User name", text: (u) => u.UserName, cell: (u) => <Link href={to(["iam", "users", "details", u.UserName ?? ""])}>{u.UserName}</Link> },
          { id: "created", header: "Creation time", text: (u) => u.CreateDate, cell: (u) => time(u.CreateDate) },
        ]}
        filter="Search users"
        empty={{ title: "No users", text: "There are no users in this group." }}
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => setDialog("remove")}>
              Remove
            </Button>
            <Button onClick={() => (pick([]), setDialog("add"))}>Add users</Button>
          </>
        )}
      />
      {dialog === "add" && (
        <ConfirmModal
          title={`Add users to ${name}`}
          verb="Add users"
          large
          ready={picked.length > 0}
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            for (const u of picked) await send(new AddUserToGroupCommand({ GroupName: name, UserName: u.UserName }));
            await users.reload();
          }}
        >
          <UserList title="Users" selected={picked} onSelect={pick} except={users.data?.map((u) => u.UserName ?? "") ?? []} />
        </ConfirmModal>
      )}
      {dialog === "remove" && (
        <ConfirmModal
          title={`Remove ${selected.length === 1 ? selected[0]?.UserName : `${selected.length} users`} from ${name}?`}
          verb="Remove"
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            for (const u of selected) await send(new RemoveUserFromGroupCommand({ GroupName: name, UserName: u.UserName }));
            select([]);
            await users.reload();
          }}
        >
          The permissions of the group are taken away from them.
        </ConfirmModal>
      )}
    </>
  );
}
