import Box from "@cloudscape-design/components/box";
import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import Tiles from "@cloudscape-design/components/tiles";
import Button from "@cloudscape-design/components/button";
import { AddUserToGroupCommand, AttachUserPolicyCommand, CreateLoginProfileCommand, CreateUserCommand, type Group, type Policy } from "@aws-sdk/client-iam";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { tagFault, TagsSection, type Tag } from "../../../kit/Tags";
import { Wizard } from "../../../kit/Wizard";
import { groupsOf, holders, listGroups, listUsers, mayChangePassword, send } from "../api";
import { nameFault, nameRule } from "../names";
import { PolicyPicker } from "../PolicyPicker";
import { generatePassword } from "./password";
import { Welcome } from "./Welcome";

type Way = "group" | "copy" | "attach";

interface Made {
  name: string;
  password?: string;
  mustChange: boolean;
}

/** UserCreate makes a user, with or without a way into this console. */
export function UserCreate() {
  const notify = useNotify();
  const [name, setName] = useState("");
  const [access, setAccess] = useState(false);
  const [custom, setCustom] = useState(false);
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [mustChange, setMustChange] = useState(true);
  const [way, setWay] = useState<Way>("group");
  const [groups, setGroups] = useState<Group[]>([]);
  const [policies, setPolicies] = useState<Policy[]>([]);
  const [copied, setCopied] = useState<string>();
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);
  const [made, setMade] = useState<Made>();

  const submit = async () => {
    // A copy is of what the other user has at this moment.
    const others = way === "copy" && copied ? await permissionsOf(copied) : undefined;
    const secret = access ? (custom ? password : generatePassword()) : undefined;
    await send(new CreateUserCommand({ UserName: name, Tags: tags }));
    const failed: string[] = [];
    const also = async (what: string, call: () => Promise<unknown>): Promise<boolean> => {
      try {
        await call();
        return true;
      } catch (e) {
        failed.push(`${what}: ${e instanceof Error ? e.message : String(e)}`);
        return false;
      }
    };
    const mayEnter =
      secret !== undefined && (await also("Console password", () => send(new CreateLoginProfileCommand({ UserName: name, Password: secret, PasswordResetRequired: mustChange }))));
    if (mayEnter && mustChange) await also("Policy IAMUserChangePassword", () => mayChangePassword(name));
    for (const g of way === "group" ? groups.map((g) => g.GroupName ?? "") : (others?.groups ?? [])) {
      await also(`Group ${g}`, () => send(new AddUserToGroupCommand({ UserName: name, GroupName: g })));
    }
    for (const arn of way === "attach" ? policies.map((p) => p.Arn ?? "") : (others?.policies ?? [])) {
      await also(`Policy ${arn}`, () => send(new AttachUserPolicyCommand({ UserName: name, PolicyArn: arn })));
    }
    if (failed.length) {
      // The user is there: making it again would say so, and nothing of what is lacking.
      notify({ type: "error", header: `User ${name} was created, but not all of it`, content: <div className="preserve">{failed.join("\n")}</div>, action: <Button href={to(["iam", "users", "details", name])}>View user</Button> });
    }
    if (mayEnter) {
      setMade({ name, password: secret, mustChange });
      return;
    }
    if (!failed.length) notify({ type: "success", header: "User created successfully", action: <Button href={to(["iam", "users", "details", name])}>View user</Button>, content: `The user ${name} is there. To use it from programs, create an access key for it.` });
    go("#/iam/users");
  };

  if (made) return <Welcome name={made.name} password={made.password ?? ""} mustChange={made.mustChange} chosen={custom} />;

  return (
    <Wizard
      submit="Create user"
      onCancel={() => go("#/iam/users")}
      onSubmit={submit}
      failedIn={(e) => (e instanceof Error && e.name.startsWith("EntityAlreadyExists") ? 0 : undefined)}
      steps={[
        {
          title: "Specify user details",
          check: () => {
            setTried(true);
            return nameFault(name, "user name", 64) || (access && custom && !password) ? "Something is lacking above." : undefined;
          },
          content: (
            <Container header={<Header variant="h2">User details</Header>}>
              <SpaceBetween size="l">
                <FormField label="User name" constraintText={nameRule(64)} errorText={tried && nameFault(name, "user name", 64)}>
                  <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
                </FormField>
                <FormField label="Access type" description="Access keys for programs are created after the user.">
                  <Checkbox checked={access} onChange={({ detail }) => setAccess(detail.checked)} description="Enables a password that allows the user to sign in to this console.">
                    AWS Management Console access
                  </Checkbox>
                </FormField>
                {access && (
                  <>
                    <FormField label="Console password">
                      <RadioGroup
                        value={custom ? "custom" : "auto"}
                        onChange={({ detail }) => setCustom(detail.value === "custom")}
                        items={[
                          { value: "auto", label: "Autogenerated password", description: "You can view the password after you create the user." },
                          { value: "custom", label: "Custom password", description: "Enter a password for the user." },
                        ]}
                      />
                    </FormField>
                    {custom && (
                      <FormField label="Password" errorText={tried && !password && "Enter a password."} constraintText="The account's password policy decides what will do.">
                        <SpaceBetween size="xs">
                          <Input type={shown ? "text" : "password"} value={password} onChange={({ detail }) => setPassword(detail.value)} autoComplete="new-password" ariaLabel="Password" />
                          <Checkbox checked={shown} onChange={({ detail }) => setShown(detail.checked)}>
                            Show password
                          </Checkbox>
                        </SpaceBetween>
                      </FormField>
                    )}
                    <Checkbox
                      checked={mustChange}
                      onChange={({ detail }) => setMustChange(detail.checked)}
                      description="Users automatically get the IAMUserChangePassword policy to allow them to change their own password."
                    >
                      User must create a new password at next sign-in
                    </Checkbox>
                  </>
                )}
              </SpaceBetween>
            </Container>
          ),
        },
        {
          title: "Set permissions",
          description: "Add the user to a group, copy permissions, or attach policies. To manage permissions of several users by job function, use groups.",
          content: (
            <SpaceBetween size="l">
              <Container header={<Header variant="h2">Permissions options</Header>}>
                <Tiles
                  ariaLabel="Permissions options"
                  value={way}
                  onChange={({ detail }) => setWay(detail.value as Way)}
                  columns={3}
                  items={[
                    { value: "group", label: "Add user to group", description: "Add the user to existing groups." },
                    { value: "copy", label: "Copy permissions", description: "Copy group memberships and attached managed policies of another user." },
                    { value: "attach", label: "Attach policies directly", description: "Attach managed policies to the user." },
                  ]}
                />
              </Container>
              {way === "group" && <GroupPicker selected={groups} onSelect={setGroups} />}
              {way === "copy" && <UserPicker selected={copied} onSelect={setCopied} />}
              {way === "attach" && <PolicyPicker selected={policies} onSelect={setPolicies} />}
            </SpaceBetween>
          ),
        },
        {
          title: "Review and create",
          description: "Review your choices. After the user is created, you can view and download the autogenerated password, if enabled.",
          check: () => tagFault(tags),
          content: (
            <SpaceBetween size="l">
              <Container header={<Header variant="h2">User details</Header>}>
                <KeyValuePairs
                  columns={3}
                  minColumnWidth={200}
                  items={[
                    { label: "User name", value: <span className="words">{name}</span> },
                    { label: "Console password type", value: access ? (custom ? "Custom password" : "Autogenerated") : "None" },
                    { label: "Require password reset", value: access && mustChange ? "Yes" : "No" },
                  ]}
                />
              </Container>
              <Table
                variant="container"
                header={<Header variant="h2">Permissions summary</Header>}
                ariaLabels={{ tableLabel: "Permissions summary" }}
                items={
                  way === "group"
                    ? groups.map((g) => ({ name: g.GroupName ?? "", type: "Group" }))
                    : way === "attach"
                      ? policies.map((p) => ({ name: p.PolicyName ?? "", type: "Permissions policy" }))
                      : copied
                        ? [{ name: copied, type: "Copied from user" }]
                        : []
                }
                columnDefinitions={[
                  { id: "name", header: "Name", minWidth: 160, cell: (i) => i.name, isRowHeader: true },
                  { id: "type", header: "Type", minWidth: 110, cell: (i) => i.type },
                ]}
                empty={<Box textAlign="center">The user has no permissions.</Box>}
              />
              <TagsSection tags={tags} onChange={setTags} />
            </SpaceBetween>
          ),
        },
      ]}
    />
  );
}

async function permissionsOf(user: string): Promise<{ groups: string[]; policies: string[] }> {
  const [groups, policies] = await Promise.all([groupsOf(user), holders.user.attached(user)]);
  return { groups: groups.map((g) => g.GroupName ?? ""), policies: policies.map((p) => p.PolicyArn ?? "") };
}

export function GroupPicker({ selected, onSelect, except = [] }: { selected: Group[]; onSelect: (g: Group[]) => void; except?: string[] }) {
  const groups = useLoad(listGroups, []);
  return (
    <List
      variant="container"
      title="User groups"
      items={{ ...groups, data: groups.data?.filter((g) => !except.includes(g.GroupName ?? "")) }}
      id={(g) => g.GroupName ?? ""}
      columns={[
        { id: "name", header: "Group name", text: (g) => g.GroupName },
        { id: "arn", header: "ARN", text: (g) => g.Arn },
      ]}
      filter="Search groups"
      empty={{ title: "No groups", text: "There are no groups to choose from." }}
      select="multi"
      selected={selected}
      onSelect={onSelect}
      page={20}
      actions={() => (
        <Button href="#/iam/groups/create" target="_blank" iconName="external" iconAlign="right">
          Create group
        </Button>
      )}
    />
  );
}

function UserPicker({ selected, onSelect }: { selected?: string; onSelect: (name: string | undefined) => void }) {
  const users = useLoad(listUsers, []);
  return (
    <List
      variant="container"
      title="Users"
      items={users}
      id={(u) => u.UserName ?? ""}
      columns={[
        { id: "name", header: "User name", text: (u) => u.UserName },
        { id: "arn", header: "ARN", text: (u) => u.Arn },
      ]}
      filter="Search users"
      empty={{ title: "No users", text: "There is no user to copy from." }}
      select="single"
      selected={(users.data ?? []).filter((u) => u.UserName === selected)}
      onSelect={(s) => onSelect(s[0]?.UserName)}
      page={20}
    />
  );
}

