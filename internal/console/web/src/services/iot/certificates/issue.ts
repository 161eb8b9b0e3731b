import { CreateCertificateFromCsrCommand, CreateKeysAndCertificateCommand } from "@aws-sdk/client-iot";
import { send } from "../api";

/** A certificate that was just made. Its private key is here and nowhere else. */
export interface Issued {
  id: string;
  arn: string;
  certificate: string; // PEM
  publicKey?: string;
  privateKey?: string; // none of a CSR: its maker has it
}

/** issue makes a key and a certificate, one click. */
export async function issue(active = false): Promise<Issued> {
  const made = await send(new CreateKeysAndCertificateCommand({ setAsActive: active }));
  return { id: made.certificateId ?? "", arn: made.certificateArn ?? "", certificate: made.certificatePem ?? "", publicKey: made.keyPair?.PublicKey, privateKey: made.keyPair?.PrivateKey };
}

/** issueFor makes a certificate of a certificate signing request. */
export async function issueFor(certificateSigningRequest: string, active = false): Promise<Issued> {
  const made = await send(new CreateCertificateFromCsrCommand({ certificateSigningRequest, setAsActive: active }));
  return { id: made.certificateId ?? "", arn: made.certificateArn ?? "", certificate: made.certificatePem ?? "" };
}
