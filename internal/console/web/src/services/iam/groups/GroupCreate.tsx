import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import { AddUserToGroupCommand, AttachGroupPolicyCommand, CreateGroupCommand, type Policy, type User } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { FormPage } from "../../../kit/FormPage";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { listUsers, send } from "../api";
import { nameFault, nameRule } from "../names";
import { PolicyPicker } from "../PolicyPicker";

/** GroupCreate makes a group of users, with users and policies. */
export function GroupCreate() {
  const notify = useNotify();
  const [name, setName] = useState("");
  const [tried, setTried] = useState(false);
  const [users, setUsers] = useState<User[]>([]);
  const [policies, setPolicies] = useState<Policy[]>([]);
  const fault = nameFault(name, "group name", 128);
  return (
    <FormPage
      title="Create user group"
      submit="Create user group"
      onCancel={() => go("#/iam/groups")}
      valid={() => {
        setTried(true);
        return !fault;
      }}
      onSubmit={async () => {
        await send(new CreateGroupCommand({ GroupName: name }));
        const failed: string[] = [];
        const also = (call: Promise<unknown>) => call.catch((e: unknown) => failed.push(e instanceof Error ? e.message : String(e)));
        for (const u of users) await also(send(new AddUserToGroupCommand({ GroupName: name, UserName: u.UserName })));
        for (const p of policies) await also(send(new AttachGroupPolicyCommand({ GroupName: name, PolicyArn: p.Arn })));
        if (failed.length) notify({ type: "error", header: `Group ${name} was created, but not all of it`, content: failed.join(" ") });
        else notify({ type: "success", content: `Group ${name} created.` });
        go(to(["iam", "groups", "details", name]));
      }}
    >
      <Container header={<Header variant="h2">Name the group</Header>}>
        <FormField label="User group name" description="Enter a meaningful name to identify this group." constraintText={nameRule(128)} errorText={tried && fault}>
          <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
        </FormField>
      </Container>
      <UserList title="Add users to the group - optional" selected={users} onSelect={setUsers} />
      <PolicyPicker title="Attach permissions policies - optional" selected={policies} onSelect={setPolicies} />
    </FormPage>
  );
}

/** UserList offers users to be ticked. */
export function UserList({ title, selected, onSelect, except = [] }: { title: string; selected: User[]; onSelect: (u: User[]) => void; except?: string[] }) {
  const users = useLoad(listUsers, []);
  return (
    <List
      variant="container"
      title={title}
      items={{ ...users, data: users.data?.filter((u) => !except.includes(u.UserName ?? "")) }}
      id={(u) => u.UserName ?? ""}
      columns={[
        { id: "name", header: "User name", text: (u) => u.UserName },
        { id: "arn", header: "ARN", text: (u) => u.Arn },
      ]}
      filter="Search users"
      empty={{ title: "No users", text: "There are no users to choose from." }}
      select="multi"
      selected={selected}
      onSelect={onSelect}
      page={20}
    />
  );
}
