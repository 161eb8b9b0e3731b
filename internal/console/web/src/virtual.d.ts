declare module "virtual:actions" {
  /** Names of actions by service: { iot: ["AcceptCertificateTransfer", …] }. */
  const actions: Record<string, string[]>;
  export default actions;
}

declare module "ace-builds/src-noconflict/snippets/javascript";
