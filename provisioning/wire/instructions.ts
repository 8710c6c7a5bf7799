/** The lines for people in an answer; old clients look for the password in them. */

/** What the lines tell. */
export interface Instructions {
  readonly host: string;
  readonly sshPort: number;
  readonly username: string;
  /** Only when an old client asked for one. Secret. */
  readonly password?: string;
  readonly expiresMs: number;
  readonly hostKeyFingerprint?: string;
}

/** Lines in the form that Paygress' own have. */
export function accessInstructions(access: Instructions): readonly string[] {
  const expires = new Date(access.expiresMs).toISOString().slice(0, 19).replace("T", " ");
  return [
    "🚀 Workload provisioned successfully!",
    `👤 Username: ${access.username}`,
    ...access.password === undefined ? [] : [`🔑 Password: ${access.password}`],
    ...access.hostKeyFingerprint === undefined ? [] : [`🔏 Host key: ${access.hostKeyFingerprint}`],
    `⌛ Expires: ${expires} UTC`,
    "Access: You can connect to the container using SSH.",
    `  ssh -p ${access.sshPort} ${access.username}@${access.host}`,
  ];
}
