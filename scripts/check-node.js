// Says so when the Node that the scripts run on is older than the code needs.
const [major] = process.versions.node.split(".");
if (Number(major) < 24) {
  process.stderr.write(
    `Recollect runs on Node 24 or newer, and this is ${process.version}: no package of Node 24 fits this machine, so install it yourself.\n`,
  );
  process.exitCode = 1;
}
