/** The one file that imports uqr: QR codes for a terminal. */
import { renderUnicodeCompact } from "uqr";

/** Text that shows `text` as a QR code, two modules to a character. */
export function renderQr(text: string): string {
  return renderUnicodeCompact(text, { ecc: "L", border: 2 });
}
