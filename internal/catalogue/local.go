package catalogue

// local are the codes of the command line and of a node that does not start.
var local = []Entry{
	{
		"AVX1001", "", "The manifest has errors",
		"avxrt.toml, a setting of the environment that stands for one of its keys, or a file of cases (*.avx.toml) is not what this version understands. Every error is told with line, column and key. Nothing was touched; a node that runs keeps the manifest it has. Exit code 4.",
		"Correct the places that are named. avxrt lint checks without running anything; docs/manifest.md lists every key of a manifest, docs/cases.md those of cases.",
	},
	{
		"AVX1002", "", "A module was refused",
		"A file in the plugins folder is no module that a node would run: it is absent, not WebAssembly, asks for functions that there are not, is larger than a limit, or has not the digest that the manifest pins.",
		"avxrt inspect FILE says what the module is and why it is refused. Build it again with avxrt build.",
	},
	{
		"AVX1003", "", "No node answers",
		"Nothing listens at the address of the node, which --server, AVXRT_SERVER or the default 127.0.0.1:7080 names.",
		"Start a node with avxrt run, or name the right address. avxrt doctor looks at both ends.",
	},
	{
		"AVX1004", "", "The address is taken",
		"Another program, perhaps another node, listens at the address that http.listen names.",
		"Stop it, or choose another address: AVXRT_HTTP_LISTEN=127.0.0.1:0 takes a free port.",
	},
	{
		"AVX1005", "", "The data folder is in use",
		"Another process has the store open. Two would destroy it, so the second one is refused.",
		"Stop the other process, or set node.data to another folder. The lock ends with its process; there is no file to delete.",
	},
	{
		"AVX1006", "", "The store is damaged",
		"A checksum, the chain of the log or its end is not as it was written: a disk, a copy or a person changed it. Nothing is guessed, so the store is not opened.",
		"avxrt verify DATA names what is damaged. Restore a backup, or open what is whole with --accept-loss, which forgets the rest for ever.",
	},
	{
		"AVX1007", "", "The store has another format",
		"The store was written by a version whose format this one does not know.",
		"Use the version that wrote it, or export there and import here.",
	},
	{
		"AVX1008", "", "The store failed",
		"A write to the disk did not succeed, so the store can no longer promise what it promised and takes nothing more. Nothing that was acknowledged as durable is lost. Exit code 75.",
		"Look after the disk (room, rights, dmesg) and start the node again.",
	},
	{
		"AVX1009", "", "A compiler is missing",
		"avxrt build or avxrt dev needs the tools of the project's language, and one of them is not on PATH, is too old, or cannot build WebAssembly. The module's file has not changed.",
		"Install it by the command that the error names. avxrt build --check lists the tools of all languages.",
	},
	{
		"AVX1010", "", "The compiler refused the sources",
		"The handler has an error; the compiler told above where. The module's file has not changed, and a node runs on with it.",
		"Correct the place that the compiler names, and build again. avxrt dev does so after every save.",
	},
}
