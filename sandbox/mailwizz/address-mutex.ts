/** MailWizz takes a mutex per list and address: calls with other addresses pass, calls with the same one queue. All keys are taken at once, so nobody waits in a ring. */
export function createAddressMutex() {
  const busy = new Map<string, Promise<void>>();

  return async function withAddresses<T>(keys: string[], work: () => Promise<T>): Promise<T> {
    for (let other = blocker(keys); other; other = blocker(keys)) await other;
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    for (const key of keys) busy.set(key, held);
    try {
      return await work();
    } finally {
      for (const key of keys) busy.delete(key);
      release();
    }
  };

  function blocker(keys: string[]): Promise<void> | undefined {
    for (const key of keys) {
      const held = busy.get(key);
      if (held) return held;
    }
    return undefined;
  }
}
export type AddressMutex = ReturnType<typeof createAddressMutex>;
