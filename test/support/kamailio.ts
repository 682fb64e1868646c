/** Kamailio as the trunk of a tenant: asks for credentials over TCP or TLS, and passes calls on to SIPp. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findOnPath, kamailioModules } from '#cdk/local/prerequisites.ts';
import { isListening } from './listening.ts';

export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** A certificate of its own authority for 127.0.0.1 and localhost. */
export function makeCertificate(): Certificate {
  const folder = mkdtempSync(path.join(tmpdir(), 'lampfield-certificate-'));
  const [certificateFile, keyFile] = [path.join(folder, 'certificate.pem'), path.join(folder, 'key.pem')];
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  const { status, stderr } = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', names],
    ...['-keyout', keyFile, '-out', certificateFile],
  ]);
  if (status !== 0) throw new Error(`openssl: ${stderr}`);
  return { certificateFile, keyFile };
}

export interface Kamailio {
  log(): string;
  stop(): Promise<void>;
}

export interface KamailioOptions {
  readonly tlsPort: number;
  readonly certificate: Certificate;
  readonly realm: string;
  readonly account: string;
  readonly password: string;
  /** `host:port` behind it, over TCP. */
  readonly next: string;
}

export async function startKamailio(options: KamailioOptions): Promise<Kamailio> {
  const folder = mkdtempSync(path.join(tmpdir(), 'lampfield-kamailio-'));
  const [configFile, logFile] = [path.join(folder, 'kamailio.cfg'), path.join(folder, 'log')];
  writeFileSync(configFile, configOf(options));
  const log = openSync(logFile, 'a');
  const child = spawn(
    findOnPath(['kamailio']) ?? 'kamailio',
    ['-f', configFile, '-DD', '-E', '-m', '32', '-M', '8', '-Y', folder, '-w', folder, '-P', path.join(folder, 'pid')],
    { cwd: folder, stdio: ['ignore', log, log] },
  );
  closeSync(log);
  const exited = once(child, 'exit');
  while (child.exitCode === null && !isListening(options.tlsPort)) await sleep(50);
  if (child.exitCode !== null) throw new Error(`Kamailio ended: ${readFileSync(logFile, 'utf8')}`);
  return {
    log: () => readFileSync(logFile, 'utf8'),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function configOf({ tlsPort, certificate, realm, account, password, next }: KamailioOptions): string {
  return `#!KAMAILIO
debug=2
log_stderror=yes
children=1
auto_aliases=no
enable_tls=yes
tcp_children=2
listen=tls:127.0.0.1:${tlsPort}
listen=tcp:127.0.0.1:${tlsPort + 1}
mpath="${kamailioModules()}/"
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "auth.so"
modparam("tls", "certificate", "${certificate.certificateFile}")
modparam("tls", "private_key", "${certificate.keyFile}")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("rr", "enable_double_rr", 1)

request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  if (is_method("ACK") && !has_totag()) { t_check_trans(); exit; }
  # In-dialog requests of the account are asked for credentials, too.
  if (proto == TLS && !is_method("ACK")) {
    if (!pv_proxy_authenticate("${realm}", "${password}", "0")) { proxy_challenge("${realm}", "1"); exit; }
    if ($au != "${account}") { sl_send_reply("403", "Forbidden"); exit; }
    consume_credentials();
  }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not Here");
    exit;
  }
  record_route();
  $ru = "sip:" + $rU + "@${next};transport=tcp";
  t_relay();
}
`;
}
