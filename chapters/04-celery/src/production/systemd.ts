/** The worker as a service of systemd. */

export interface ServiceOptions {
  /** The node program and the folder of this chapter: absolute paths outside of `hiddenFolders`. */
  node: string
  folder: string
  /** The file with the configuration. Only root may read it, because it contains the password. */
  environmentFile: string
  /** Must be longer than WORKER_GRACE_SECONDS, or systemd kills a worker that is about to end in order. */
  stopSeconds: number
}

/** Folders that the service cannot see, because it runs as a user that owns nothing. Install it below /srv or /opt. */
export const hiddenFolders = ['/home', '/root', '/run/user']

/** Returns the text of `celery-worker@.service`. There can be several of them: `systemctl start celery-worker@1`. */
export function serviceUnit({ node, folder, environmentFile, stopSeconds }: ServiceOptions): string {
  // A % begins a specifier everywhere; in the program's path a $ is only a $.
  const literal = (path: string) => path.replaceAll('%', '%%')
  const quoted = (path: string) => (/[\s"\\]/.test(path) ? `"${path.replaceAll(/["\\]/g, '\\$&')}"` : path)
  return `[Unit]
Description=Task queue worker %i
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart=${quoted(literal(node))} --import tsx src/production/worker.program.ts
WorkingDirectory=${literal(folder)}
EnvironmentFile=${literal(environmentFile)}
Environment=NODE_ENV=production WORKER_NAME=%H-%i

# The worker gets SIGTERM and finishes its tasks; what is left of it after that time gets SIGKILL.
KillMode=mixed
TimeoutStopSec=${stopSeconds}
# A worker that has ended is started again, unless its configuration is wrong (exit code 2).
Restart=always
RestartSec=2
RestartPreventExitStatus=2

# It needs the network, its files and nothing else.
DynamicUser=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
MemoryMax=1G
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`
}
