import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import {
  CreateVirtualMFADeviceCommand,
  DeleteVirtualMFADeviceCommand,
  EnableMFADeviceCommand,
  ListMFADevicesCommand,
  ResyncMFADeviceCommand,
  type MFADevice,
  type VirtualMFADevice,
} from "@aws-sdk/client-iam";
import { useEffect, useRef, useState } from "react";
import { useNotify } from "../../../frame/notices";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { dropMFA, send } from "../api";
import { nameFault, nameRule } from "../names";

interface Props {
  /** Of a user; the account's id means root, who gives devices to itself alone. */
  user: string;
  /** What people call the user: "You". */
  who: string;
}

/** MFA lists the devices whose codes a user signs in with, assigns and removes them. */
export function MFA({ user, who }: Props) {
  const notify = useNotify();
  const devices = useLoad(async () => (await send(new ListMFADevicesCommand({ UserName: user }))).MFADevices ?? [], [user]);
  const [selected, select] = useState<MFADevice[]>([]);
  const [dialog, open] = useState<"assign" | "resync" | "remove">();
  const [made, setMade] = useState<VirtualMFADevice>();
  const serial = selected[0]?.SerialNumber ?? "";
  return (
    <>
      <List
        variant="container"
        title="Multi-factor authentication (MFA)"
        description="Devices whose codes are asked for at sign-in, beside the password. A user can have up to 8."
        items={devices}
        id={(d) => d.SerialNumber ?? ""}
        columns={[
          { id: "serial", header: "Identifier", text: (d) => d.SerialNumber, cell: (d) => <span className="words">{d.SerialNumber}</span> },
          { id: "type", header: "Device type", text: () => "Virtual" },
          { id: "enabled", header: "Created on", text: (d) => d.EnableDate, cell: (d) => time(d.EnableDate) },
        ]}
        empty={{ title: "No MFA devices", text: `No MFA device is assigned: ${who.toLowerCase() === "you" ? "you sign in" : "the user signs in"} by password alone.` }}
        select="single"
        selected={selected}
        onSelect={select}
        actions={(still) => (
          <>
            <Button disabled={still.length === 0} onClick={() => open("remove")}>
              Remove
            </Button>
            <Button disabled={still.length === 0} onClick={() => open("resync")}>
              Resync
            </Button>
            <Button disabled={!devices.data} onClick={() => open("assign")}>
              Assign MFA device
            </Button>
          </>
        )}
      />
      {dialog === "assign" && !made && <Name onMade={setMade} onDismiss={() => open(undefined)} />}
      {dialog === "assign" && made && (
        <SetUp
          device={made}
          user={user}
          onDone={async () => {
            notify({ type: "success", content: "MFA device assigned. Its codes are asked for from the next sign-in on." });
            await devices.reload();
          }}
          onDismiss={() => {
            setMade(undefined);
            open(undefined);
          }}
        />
      )}
      {dialog === "resync" && (
        <Codes
          title="Resync MFA device"
          verb="Resync"
          onDismiss={() => open(undefined)}
          onCodes={async (AuthenticationCode1, AuthenticationCode2) => {
            await send(new ResyncMFADeviceCommand({ UserName: user, SerialNumber: serial, AuthenticationCode1, AuthenticationCode2 }));
            notify({ type: "success", content: "MFA device resynchronized." });
          }}
        >
          When the clock of the device is off, two of its codes in a row say by how much.
        </Codes>
      )}
      {dialog === "remove" && (
        <ConfirmModal
          title="Remove MFA device?"
          verb="Remove"
          onDismiss={() => open(undefined)}
          onConfirm={async () => {
            await dropMFA(user, serial);
            select([]);
            notify({ type: "success", content: "MFA device removed." });
            await devices.reload();
          }}
        >
          <span className="words">
            {who} can sign in without {serial} from now on.
          </span>
        </ConfirmModal>
      )}
    </>
  );
}

/** Name is the first step: a device of that name is made, which is nobody's yet. */
function Name({ onMade, onDismiss }: { onMade: (d: VirtualMFADevice) => void; onDismiss: () => void }) {
  const [name, setName] = useState("");
  const fault = nameFault(name, "device name", 128);
  const made = useRef<VirtualMFADevice>(undefined);
  return (
    <ConfirmModal
      title="Select MFA device"
      verb="Next"
      ready={!fault}
      onDismiss={() => (made.current ? onMade(made.current) : onDismiss())}
      onConfirm={async () => {
        made.current = (await send(new CreateVirtualMFADeviceCommand({ VirtualMFADeviceName: name }))).VirtualMFADevice;
      }}
    >
      <Box>An authenticator app on a phone or computer makes the codes: any that speaks TOTP will do.</Box>
      <FormField label="Device name" constraintText={nameRule(128)} errorText={name && fault}>
        <Input value={name} onChange={({ detail }) => setName(detail.value)} />
      </FormField>
    </ConfirmModal>
  );
}

/** SetUp shares the device's secret with the app and gives the device to the user. A device that is given to nobody is deleted. */
function SetUp({ device, user, onDone, onDismiss }: { device: VirtualMFADevice; user: string; onDone: () => Promise<void>; onDismiss: () => void }) {
  const [shown, show] = useState<"picture" | "key">();
  const [picture, setPicture] = useState<string>();
  const assigned = useRef(false);
  useEffect(() => {
    const url = URL.createObjectURL(new Blob([(device.QRCodePNG ?? new Uint8Array()) as Uint8Array<ArrayBuffer>], { type: "image/png" }));
    setPicture(url);
    return () => URL.revokeObjectURL(url);
  }, [device]);
  return (
    <Codes
      title="Set up device"
      verb="Add MFA"
      onDismiss={() => {
        // Nothing was lost if this fails: the name is taken, and no more.
        if (!assigned.current) void send(new DeleteVirtualMFADeviceCommand({ SerialNumber: device.SerialNumber })).catch(() => {});
        onDismiss();
      }}
      onCodes={async (AuthenticationCode1, AuthenticationCode2) => {
        await send(new EnableMFADeviceCommand({ UserName: user, SerialNumber: device.SerialNumber, AuthenticationCode1, AuthenticationCode2 }));
        assigned.current = true;
        await onDone();
      }}
    >
      <SpaceBetween size="s">
        <Box>Scan the QR code with the app, or type in the secret key. They are shown here and never again.</Box>
        <SpaceBetween direction="horizontal" size="xs">
          <Button formAction="none" onClick={() => show("picture")}>
            Show QR code
          </Button>
          <Button formAction="none" onClick={() => show("key")}>
            Show secret key
          </Button>
        </SpaceBetween>
        {shown === "picture" && picture && <img src={picture} alt="QR code of the device's secret key" width={200} height={200} />}
        {shown === "key" && <Copy text={new TextDecoder().decode(device.Base32StringSeed)} what="Secret key" />}
        <Box>Then enter two codes in a row: wait for the second one, up to 30 seconds.</Box>
      </SpaceBetween>
    </Codes>
  );
}

interface CodesProps {
  title: string;
  verb: string;
  children: React.ReactNode;
  onCodes: (first: string, second: string) => Promise<void>;
  onDismiss: () => void;
}

/** Codes asks for two codes in a row. */
function Codes({ title, verb, children, onCodes, onDismiss }: CodesProps) {
  const [codes, set] = useState(["", ""] as [string, string]);
  const [first, second] = codes.map((c) => c.replaceAll(" ", "")) as [string, string];
  const will = (code: string) => /^\d{6}$/.test(code);
  return (
    <ConfirmModal title={title} verb={verb} ready={will(first) && will(second) && first !== second} onDismiss={onDismiss} onConfirm={() => onCodes(first, second)}>
      {children}
      <FormField label="MFA code 1" errorText={first.length >= 6 && !will(first) && "A code is six digits."}>
        <Input value={codes[0]} inputMode="numeric" autoComplete="one-time-code" onChange={({ detail }) => set([detail.value, codes[1]])} />
      </FormField>
      <FormField label="MFA code 2" errorText={second.length >= 6 && (!will(second) ? "A code is six digits." : first === second && "These are the same: enter the app's next code.")}>
        <Input value={codes[1]} inputMode="numeric" autoComplete="off" onChange={({ detail }) => set([codes[0], detail.value])} />
      </FormField>
    </ConfirmModal>
  );
}
