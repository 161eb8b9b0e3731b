import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { AddUserToGroupCommand, GetUserCommand, ListUserTagsCommand, RemoveUserFromGroupCommand, TagUserCommand, UntagUserCommand, type Group } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { TagsTab, type Tag } from "../../../kit/Tags";
import { all } from "../../../session/aws";
import type { Params } from "../../service";
import { groupsOf, send } from "../api";
import { Permissions } from "../Permissions";
import { Credentials } from "./Credentials";
import { GroupPicker } from "./UserCreate";
import { DeleteUsers } from "./Users";

/** UserDetail is the screen of a user. */
export function UserDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const user = useLoad(async () => (await send(new GetUserCommand({ UserName: name }))).User, [name], 30_000);
  const tags = useLoad(() => all((Marker) => send(new ListUserTagsCommand({ UserName: name, Marker })), (p) => p.Tags as Tag[] | undefined, (p) => p.Marker), [name]);
  const [doomed, doom] = useState(false);
  return (
    <>
      <DetailPage
        title={name}
        of={user}
        summary={(u) => [
          { label: "ARN", value: <Copy text={u.Arn ?? ""} what="ARN" /> },
          { label: "User ID", value: u.UserId },
          { label: "Created", value: time(u.CreateDate) },
          { label: "Last console sign-in", value: u.PasswordLastUsed ? time(u.PasswordLastUsed) : "-" },
          { label: "Path", value: u.Path },
          { label: "Permissions boundary", value: u.PermissionsBoundary?.PermissionsBoundaryArn ?? "Not set" },
        ]}
        actions={() => <Button onClick={() => doom(true)}>Delete</Button>}
        tabs={(u) => [
          { id: "permissions", label: "Permissions", content: <Permissions kind="user" name={name} /> },
          { id: "groups", label: "Groups", content: <Groups name={name} /> },
          {
            id: "tags",
            label: "Tags",
            content: (
              <TagsTab
                tags={tags}
                save={async (set, remove) => {
                  if (set.length) await send(new TagUserCommand({ UserName: name, Tags: set }));
                  if (remove.length) await send(new UntagUserCommand({ UserName: name, TagKeys: remove }));
                }}
              />
            ),
          },
          { id: "security_credentials", label: "Security credentials", content: <Credentials user={u} tags={tags.data ?? []} /> },
        ]}
      />
      {doomed && (
        <DeleteUsers
          names={[name]}
          onDismiss={() => doom(false)}
          onDeleted={() => {
            notify({ type: "success", content: `User ${name} deleted.` });
            go("#/iam/users");
          }}
        />
      )}
    </>
  );
}

function Groups({ name }: { name: string }) {
  const groups = useLoad(() => groupsOf(name), [name], 30_000);
  const [selected, select] = useState<Group[]>([]);
  const [dialog, setDialog] = useState<"add" | "remove">();
  const [picked, pick] = useState<Group[]>([]);
  return (
    <>
      <List
        variant="container"
        title="User groups membership"
        description="The user has the permissions of all groups that it is in."
        items={groups}
        id={(g) => g.GroupName ?? ""}
        columns={[
          { id: "name", header: "Group name", text: (g) => g.GroupName, cell: (g) => <Link href={to(["iam", "groups", "details", g.GroupName ?? ""])}>{g.GroupName}</Link> },
          { id: "arn", header: "ARN", text: (g) => g.Arn },
        ]}
        empty={{ title: "No groups", text: "This user is in no group." }}
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => setDialog("remove")}>
              Remove
            </Button>
            <Button onClick={() => (pick([]), setDialog("add"))}>Add user to groups</Button>
          </>
        )}
      />
      {dialog === "add" && (
        <ConfirmModal
          title={`Add ${name} to groups`}
          verb="Add to groups"
          large
          ready={picked.length > 0}
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            for (const g of picked) await send(new AddUserToGroupCommand({ UserName: name, GroupName: g.GroupName }));
            await groups.reload();
          }}
        >
          <GroupPicker selected={picked} onSelect={pick} except={groups.data?.map((g) => g.GroupName ?? "") ?? []} />
        </ConfirmModal>
      )}
      {dialog === "remove" && (
        <ConfirmModal
          title={`Remove ${name} from ${selected.length === 1 ? selected[0]?.GroupName : `${selected.length} groups`}?`}
          verb="Remove"
          onDismiss={() => setDialog(undefined)}
          onConfirm={async () => {
            for (const g of selected) await send(new RemoveUserFromGroupCommand({ UserName: name, GroupName: g.GroupName }));
            select([]);
            await groups.reload();
          }}
        >
          The permissions of the group are taken away from the user.
        </ConfirmModal>
      )}
    </>
  );
}
