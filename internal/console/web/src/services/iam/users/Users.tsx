import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import { ListUsersCommand, IAMClient, type User } from "@aws-sdk/client-iam";
import { useState } from "react";
import { to } from "../../../frame/route";
import { ago, time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { all, aws } from "../../../session/aws";

/** Users is the list of the account's users. */
export function Users() {
  const users = useLoad(() => all((Marker) => aws(IAMClient).send(new ListUsersCommand({ Marker })), (p) => p.Users, (p) => p.Marker), [], 15_000);
  const [selected, select] = useState<User[]>([]);
  return (
    <List
      title="Users"
      description="An IAM user is an identity with long-term credentials that is used to interact with AWS in an account."
      items={users}
      id={(u) => u.UserName ?? ""}
      columns={[
        { id: "name", header: "User name", text: (u) => u.UserName, cell: (u) => <Link href={to(["iam", "users", u.UserName ?? ""])}>{u.UserName}</Link> },
        { id: "path", header: "Path", text: (u) => u.Path },
        { id: "password", header: "Password last used", text: (u) => u.PasswordLastUsed, cell: (u) => ago(u.PasswordLastUsed) },
        { id: "created", header: "Creation time", text: (u) => u.CreateDate, cell: (u) => time(u.CreateDate) },
      ]}
      filter="Search users"
      empty={{ title: "No users", text: "There are no users in this account.", action: <Button href="#/iam/users/create">Add users</Button> }}
      select="multi"
      selected={selected}
      onSelect={select}
      actions={() => (
        <Button variant="primary" href="#/iam/users/create">
          Add users
        </Button>
      )}
    />
  );
}
