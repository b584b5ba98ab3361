CREATE TABLE holder (
	id TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE job (
	id TEXT NOT NULL,
	pipeline TEXT NOT NULL,
	state TEXT NOT NULL,
	graph TEXT NOT NULL,
	input TEXT NOT NULL,
	labels TEXT NOT NULL,
	owner TEXT NOT NULL,
	executor TEXT NOT NULL,
	dedup TEXT,
	parent_job TEXT,
	parent_key TEXT,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	started_at BIGINT,
	finished_at BIGINT,
	deadline BIGINT,
	deadline_at BIGINT,
	error_kind TEXT,
	error_message TEXT,
	error_trace TEXT,
	failed_task TEXT,
	last_event BIGINT NOT NULL,
	live INTEGER NOT NULL,
	parked INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	unswept BIGINT DEFAULT '0' NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (dedup),
	FOREIGN KEY(parent_job) REFERENCES job (id)
);
CREATE INDEX job_deadline ON job (deadline_at) WHERE deadline_at IS NOT NULL AND finished_at IS NULL;
CREATE INDEX job_parent ON job (parent_job) WHERE parent_job IS NOT NULL;
CREATE INDEX job_unswept ON job (id) WHERE unswept <> 0;
CREATE TABLE edge (
	job TEXT NOT NULL,
	upstream TEXT NOT NULL,
	downstream TEXT NOT NULL,
	optional INTEGER NOT NULL,
	PRIMARY KEY (job, upstream, downstream),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE TABLE event (
	job TEXT NOT NULL,
	seq BIGINT NOT NULL,
	at BIGINT NOT NULL,
	kind TEXT NOT NULL,
	task TEXT,
	data TEXT NOT NULL,
	PRIMARY KEY (job, seq),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE TABLE shared (
	input_hash TEXT NOT NULL,
	job TEXT NOT NULL,
	output TEXT NOT NULL,
	PRIMARY KEY (input_hash),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE INDEX shared_job ON shared (job);
CREATE TABLE task (
	id INTEGER NOT NULL,
	job TEXT NOT NULL,
	"key" TEXT NOT NULL,
	node TEXT NOT NULL,
	position INTEGER NOT NULL,
	idx INTEGER NOT NULL,
	mapped INTEGER NOT NULL,
	need INTEGER,
	queue TEXT NOT NULL,
	resources TEXT NOT NULL,
	pinned INTEGER NOT NULL,
	state TEXT NOT NULL,
	held INTEGER NOT NULL,
	waits INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	tries INTEGER NOT NULL,
	reclaims INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	token TEXT,
	holder TEXT,
	due_at BIGINT,
	signal TEXT,
	parked_for TEXT,
	progress FLOAT,
	progress_note TEXT,
	started_at BIGINT,
	finished_at BIGINT,
	input_hash TEXT,
	output TEXT,
	error_kind TEXT,
	error_message TEXT,
	error_trace TEXT,
	reason TEXT,
	item TEXT,
	kept_hash TEXT,
	kept_output TEXT,
	written INTEGER NOT NULL,
	opened INTEGER NOT NULL,
	unfinished INTEGER NOT NULL,
	lost INTEGER NOT NULL,
	child_job TEXT,
	asleep INTEGER NOT NULL,
	PRIMARY KEY (id),
	CONSTRAINT task_key UNIQUE (job, "key"),
	CONSTRAINT task_order UNIQUE (job, position, idx),
	FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX task_node ON task (job, position) WHERE idx < 0;
CREATE INDEX task_parked ON task (due_at) WHERE state = 'parked' AND held = 0;
CREATE INDEX task_ready ON task (queue, resources, due_at, id) WHERE state = 'ready' AND held = 0;
CREATE INDEX task_running ON task (holder) WHERE state = 'running';
CREATE TABLE note (
	task INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	name TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (task, revision, name),
	FOREIGN KEY(task) REFERENCES task (id) ON DELETE CASCADE
);
CREATE TABLE revision (
	task INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	state TEXT NOT NULL,
	output TEXT,
	PRIMARY KEY (task, revision),
	FOREIGN KEY(task) REFERENCES task (id) ON DELETE CASCADE
);
