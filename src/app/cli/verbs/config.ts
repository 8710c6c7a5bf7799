/** `config`: every setting, its value, and where that came from. */
import {
  keyOf,
  SETTING_NAMES,
  type SettingName,
  settingOf,
  variableOf,
} from "../../config/settings.ts";
import { formatTable } from "../../output/format.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export function run(context: VerbContext): Promise<number> {
  const { out, config } = context;
  if (context.has("toml")) out.line(exampleToml());
  else if (context.has("markdown")) out.line(settingsMarkdown());
  else if (out.json) { for (const name of SETTING_NAMES) out.object(entryOf(context, name)); }
  else {
    out.line(formatTable(
      [{ title: "SETTING" }, { title: "VALUE" }, { title: "FROM" }],
      SETTING_NAMES.map((name) => [keyOf(name), shown(context, name), config.sources[name]]),
    ));
  }
  return Promise.resolve(0);
}

function entryOf(context: VerbContext, name: SettingName): object {
  const isSecret = settingOf(name).isSecret;
  return {
    setting: keyOf(name),
    value: isSecret ? null : context.config.values[name] ?? null,
    source: context.config.sources[name],
    variable: variableOf(name),
  };
}

function shown(context: VerbContext, name: SettingName): string {
  if (settingOf(name).isSecret) {
    return context.config.values[name] === undefined ? "(the file seed)" : "(given, not shown)";
  }
  return context.config.texts[name] || "-";
}

/** A settings file in which every key is a comment with its default. */
export function exampleToml(): string {
  const lines = ["# Settings of a Seedmint node. Flags and SEEDMINT_* variables beat this file."];
  for (const name of SETTING_NAMES) {
    const setting = settingOf(name);
    if (setting.isSecret || name === "config" || name === "data") continue;
    lines.push("", `# ${setting.description}`, `# ${keyOf(name)} = ${tomlValue(name)}`);
  }
  return lines.join("\n");
}

function tomlValue(name: SettingName): string {
  const setting = settingOf(name);
  if (setting.isSwitch) return String(setting.default === "yes");
  if (Array.isArray(setting.default)) return JSON.stringify(setting.default);
  return JSON.stringify(setting.default ?? setting.placeholder ?? "");
}

/** The table of settings for docs/operating.md. */
export function settingsMarkdown(): string {
  const rows = SETTING_NAMES.map((name) => {
    const setting = settingOf(name);
    const flag = setting.isSecret
      ? "none"
      : `\`--${setting.isSwitch && setting.default === "yes" ? "no-" : ""}${keyOf(name)}${
        setting.placeholder ? ` ${setting.placeholder}` : ""
      }${setting.isList ? "…" : ""}\``;
    const text = Array.isArray(setting.default) ? setting.default.join(" ") : setting.default;
    return `| ${flag} | \`${variableOf(name)}\` | ${text ? `\`${text}\`` : "-"} | ${
      setting.description.replaceAll("|", "\\|")
    } |`;
  });
  return ["| flag | variable | default | meaning |", "|---|---|---|---|", ...rows].join("\n");
}
