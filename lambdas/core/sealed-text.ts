/** Secrets at rest: AES-256-GCM (NIST SP 800-38D) under a key of the deployment, bound to the place of the text. Pure. */
import { createCipheriv, createDecipheriv, createHash, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/** Seals texts for the table, and opens them again. */
export interface Vault {
  /** @param place where the sealed text will stand, such as the key of its item; it opens nowhere else */
  seal(text: string, place: string): string;
  /** @throws {SealBroken} when it was changed, stands elsewhere, or its key is none of ours */
  open(sealed: string, place: string): string;
  /** True when the key that seals is another one by now. */
  isOutdated(sealed: string): boolean;
  /** Keys for another purpose than sealing, the current one first; each goes with the key that it comes from. */
  keysFor(purpose: string): readonly DerivedKey[];
}

export interface DerivedKey {
  readonly id: string;
  readonly key: Uint8Array;
}

/** Answers the vault; its keys may have to be fetched. */
export type VaultReader = () => Promise<Vault>;

/** The place and the key id, never the text. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';
}

interface VaultKey {
  readonly id: string;
  readonly key: KeyObject;
}

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ID_LENGTH = 8;
const PURPOSE = 'lampfield vault';

/**
 * @param keyTexts one secret, or several with blanks between them: the first one seals, all open. To change it, add the new
 *   one behind, and put it in front once every function knows it
 * @param chooseBytes random bytes
 */
export function createVault(keyTexts: string, chooseBytes: (count: number) => Uint8Array): Vault {
  const keys = keyTexts.split(/\s+/).filter(Boolean).map(vaultKeyOf);
  const [current] = keys;
  if (current === undefined) throw new Error('The vault has no key');
  return {
    seal: (text, place) => sealText(current, chooseBytes(NONCE_BYTES), text, place),
    open(sealed, place) {
      const { id, bytes } = partsOf(sealed);
      const used = keys.find((each) => each.id === id);
      if (used === undefined) throw new SealBroken(`${place}: sealed with the key ${id}, which is not here`);
      return openText(used.key, bytes, place);
    },
    isOutdated: (sealed) => partsOf(sealed).id !== current.id,
    keysFor: (purpose) =>
      keys.map(({ id, key }) => ({ id, key: new Uint8Array(hkdfSync('sha256', key, '', purpose, KEY_BYTES)) })),
  };
}

function vaultKeyOf(text: string): VaultKey {
  const key = createSecretKey(Buffer.from(hkdfSync('sha256', text, '', PURPOSE, KEY_BYTES)));
  const id = createHash('sha256').update(key.export()).digest('base64url').slice(0, ID_LENGTH);
  return { id, key };
}

/** Key id, a dot, then nonce, tag and the text under the key. */
function sealText({ id, key }: VaultKey, nonce: Uint8Array, text: string, place: string): string {
  const cipher = createCipheriv(CIPHER, key, nonce);
  cipher.setAAD(Buffer.from(place));
  const hidden = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return `${id}.${Buffer.concat([nonce, cipher.getAuthTag(), hidden]).toString('base64url')}`;
}

function openText(key: KeyObject, bytes: Buffer, place: string): string {
  const tagEnd = NONCE_BYTES + TAG_BYTES;
  if (bytes.length < tagEnd) throw new SealBroken(`${place}: too short`);
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(place));
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, tagEnd));
  const text = decipher.update(bytes.subarray(tagEnd), undefined, 'utf8');
  try {
    return text + decipher.final('utf8');
  } catch (cause) {
    throw new SealBroken(`${place}: not what was sealed here`, { cause });
  }
}

function partsOf(sealed: string): { readonly id: string; readonly bytes: Buffer } {
  return { id: sealed.slice(0, ID_LENGTH), bytes: Buffer.from(sealed.slice(ID_LENGTH + 1), 'base64url') };
}
