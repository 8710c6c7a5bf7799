/** Numbers and tables for people. Programs get JSON with bare bytes and milliseconds. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `1.2 MiB`: three digits are enough to read. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `12.3 MB/s`, in powers of ten as networks are sold. */
export function formatRate(bytesPerSecond: number): string {
  const mega = bytesPerSecond / 1e6;
  return `${mega >= 99.95 ? mega.toFixed(0) : mega.toFixed(1)} MB/s`;
}

/** `840 ms`, `12.3 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "?";
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** `300 msat/MiB`, or `free`. */
export function formatPrice(msatPerMiB: number): string {
  return msatPerMiB === 0 ? "free" : `${msatPerMiB} msat/MiB`;
}

/** `12.345 sat`: thousandths only where there are some. */
export function formatMsat(msat: number): string {
  const rest = msat % 1000;
  const fraction = rest === 0 ? "" : `.${String(rest).padStart(3, "0")}`;
  return `${Math.floor(msat / 1000)}${fraction} sat`;
}

/** One column of {@link formatTable}. */
export interface Column {
  readonly title: string;
  readonly alignRight?: true;
}

/** Columns as wide as their widest cell, two spaces between. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const all = [columns.map((column) => column.title), ...rows];
  const widths = columns.map((_, index) =>
    Math.max(...all.map((cells) => (cells[index] ?? "").length))
  );
  return all.map((cells) =>
    columns.map((column, index) => {
      const cell = cells[index] ?? "";
      return column.alignRight ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!);
    }).join("  ").trimEnd()
  ).join("\n");
}

/** Text of strangers for a terminal: control characters become visible. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex -- these are what must not reach a terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");
}
