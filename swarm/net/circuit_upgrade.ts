/**
 * Lets a relayed connection end gently once a direct one took its place. DCUtR closes the relayed
 * connection as soon as a direct one is open, which would cut off every transfer under way on it;
 * here the close waits until those are over, while new streams go direct already.
 */

/** What is needed of a connection. */
export interface ClosableConnection {
  close(options?: unknown): Promise<void>;
}

/**
 * Makes `connection.close()` wait until `isBusy` turns false.
 *
 * @returns What to call whenever that may have happened, or with `now` to stop waiting.
 */
export function closeWhenIdle(
  connection: ClosableConnection,
  isBusy: () => boolean,
): (options?: { readonly now: boolean }) => void {
  const close = connection.close.bind(connection);
  let isWanted = false;
  let isClosing = false;
  let isWaitingOver = false;
  connection.close = async (options) => {
    isWanted = true;
    if (!isBusy() || isWaitingOver) await finish(options);
  };
  return (options) => {
    if (options?.now === true) isWaitingOver = true;
    if (isWanted && !isClosing && (isWaitingOver || !isBusy())) finish().catch(() => {});
  };

  async function finish(options?: unknown): Promise<void> {
    isClosing = true;
    await close(options);
  }
}
