import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import type { User } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { to } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import type { Deleting } from "../../../kit/DeletableList";
import { ago, time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { deleteUser, listUsers } from "../api";

/** Users is the list of the account's users. */
export function Users() {
  const notify = useNotify();
  const users = useLoad(listUsers, [], 15_000);
  const [selected, select] = useState<User[]>([]);
  const [doomed, doom] = useState<User[]>();
  return (
    <>
      <List
        title="Users"
        description="An IAM user is an identity with long-term credentials that is used to interact with AWS in an account."
        items={users}
        id={(u) => u.UserName ?? ""}
        columns={[
          { id: "name", header: "User name", text: (u) => u.UserName, cell: (u) => <Link href={to(["iam", "users", "details", u.UserName ?? ""])}>{u.UserName}</Link> },
          { id: "path", header: "Path", text: (u) => u.Path },
          { id: "password", header: "Password last used", text: (u) => u.PasswordLastUsed, cell: (u) => ago(u.PasswordLastUsed) },
          { id: "created", header: "Creation time", text: (u) => u.CreateDate, cell: (u) => time(u.CreateDate) },
          { id: "arn", header: "ARN", text: (u) => u.Arn },
        ]}
        filter="Search users"
        empty={{ title: "No users", text: "There are no users in this account.", action: <Button href="#/iam/users/create">Add users</Button> }}
        select="multi"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => doom(still)}>
              Delete
            </Button>
            <Button variant="primary" href="#/iam/users/create">
              Add users
            </Button>
          </>
        )}
      />
      {doomed && (
        <DeleteUsers
          names={doomed.map((u) => u.UserName ?? "")}
          onDismiss={() => doom(undefined)}
          onDeleted={() => {
            select([]);
            notify({ type: "success", content: `${doomed.length === 1 ? `User ${doomed[0]?.UserName}` : `${doomed.length} users`} deleted.` });
            return users.reload();
          }}
        />
      )}
    </>
  );
}

export function DeleteUsers({ names, onDismiss, onDeleted }: { names: string[] } & Deleting) {
  return (
    <ConfirmModal
      title={names.length === 1 ? `Delete ${names[0]}?` : `Delete ${names.length} users?`}
      verb={names.length === 1 ? "Delete user" : "Delete users"}
      typed={names.length === 1 ? names[0] : "confirm"}
      onDismiss={onDismiss}
      onConfirm={async () => {
        for (const name of names) await deleteUser(name);
        await onDeleted();
      }}
    >
      {names.length > 1 && <span className="words">{names.join(", ")}. </span>}
      Access keys, passwords, MFA devices, inline policies and memberships go with the user. What is signed in with them ends at once. This cannot be undone.
    </ConfirmModal>
  );
}
