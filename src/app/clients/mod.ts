/**
 * The container clients of this host: which files say where they pull from, how `setup` changes those
 * and takes it back, and how `doctor` finds out what they really do.
 *
 * Vocabulary: a *client* is containerd, docker, podman or skopeo; a *plan* is what files would become;
 * a *block* is the part of a file that setup wrote. May import: core, the settings' TOML reader.
 */
export * from "./block.ts";
export * from "./containerd.ts";
export * from "./containers_image.ts";
export * from "./docker.ts";
export * from "./examine.ts";
export * from "./files.ts";
export * from "./hosts_toml.ts";
export * from "./limits.ts";
export * from "./plan.ts";
export * from "./programs.ts";
export * from "./prove.ts";
