-- Made from the migrations by `npm run schema`.

CREATE TABLE `backup_target_mount_ledger` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `created_at` datetime(6) DEFAULT current_timestamp(6),
  `updated_at` datetime(6) DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),
  `deleted_at` datetime(6) DEFAULT NULL,
  `deleted` tinyint(1) DEFAULT 0,
  `version` varchar(255) DEFAULT NULL,
  `backup_target_id` varchar(255) NOT NULL,
  `jobid` bigint(20) NOT NULL,
  `host` varchar(255) NOT NULL,
  `mounted` tinyint(1) DEFAULT 0,
  `state` varchar(16) DEFAULT NULL,
  `operation_id` char(36) DEFAULT NULL,
  `project_id` varchar(255) DEFAULT NULL,
  `hold_id` varchar(255) DEFAULT NULL,
  `lease_expires_at` datetime(6) DEFAULT NULL,
  `lease_s` int(11) DEFAULT NULL,
  `written_at` timestamp(6) NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),
  `lease_renewals` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_job_target_host` (`jobid`,`backup_target_id`,`host`),
  KEY `idx_backup_target_id` (`backup_target_id`),
  KEY `idx_jobid` (`jobid`),
  KEY `idx_host` (`host`),
  KEY `idx_job_target` (`jobid`,`backup_target_id`),
  KEY `idx_mounted_host` (`mounted`,`host`),
  KEY `idx_deleted` (`deleted`),
  KEY `idx_target_host_mounted` (`backup_target_id`,`host`,`mounted`),
  KEY `idx_lease_expires_at` (`lease_expires_at`),
  KEY `idx_state` (`state`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `binding_holds` (
  `jobid` bigint(20) NOT NULL,
  `backup_target_id` varchar(255) NOT NULL,
  `host` varchar(255) NOT NULL,
  `hold_id` varchar(255) NOT NULL,
  `operation_id` char(36) NOT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  PRIMARY KEY (`host`,`backup_target_id`,`jobid`,`hold_id`(191))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `idempotency_keys` (
  `idempotency_key` varchar(255) NOT NULL,
  `project_id` varchar(255) NOT NULL DEFAULT '',
  `request_hash` binary(32) NOT NULL,
  `operation_id` char(36) NOT NULL,
  `begun` tinyint(1) NOT NULL DEFAULT 0,
  `created_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  PRIMARY KEY (`idempotency_key`,`project_id`(191)),
  KEY `idx_idempotency_created` (`created_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `lease_waiters` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `host` varchar(255) NOT NULL,
  `backup_target_id` varchar(255) NOT NULL,
  `token` char(36) NOT NULL,
  `owner` varchar(255) NOT NULL,
  `asks` bigint(20) NOT NULL DEFAULT 0,
  `waits_since` datetime(6) NOT NULL,
  `expires_at` datetime(6) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_lease_waiters_token` (`token`),
  KEY `idx_lease_waiters_target` (`host`,`backup_target_id`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `ledger_identity` (
  `only_row` tinyint(4) NOT NULL DEFAULT 1,
  `ledger_id` char(36) NOT NULL,
  PRIMARY KEY (`only_row`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `mount_operations` (
  `id` char(36) NOT NULL,
  `action` varchar(16) NOT NULL,
  `status` varchar(16) NOT NULL,
  `error_code` varchar(32) DEFAULT NULL,
  `jobid` bigint(20) DEFAULT NULL,
  `backup_target_id` varchar(255) NOT NULL,
  `host` varchar(255) NOT NULL,
  `epoch` bigint(20) DEFAULT NULL,
  `arrival` bigint(20) DEFAULT NULL,
  `mount_path` varchar(1024) DEFAULT NULL,
  `error_msg` text DEFAULT NULL,
  `success_msg` text DEFAULT NULL,
  `request_data` mediumtext DEFAULT NULL,
  `response_data` mediumtext DEFAULT NULL,
  `project_id` varchar(255) DEFAULT NULL,
  `request_id` varchar(128) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  `updated_at` datetime(6) NOT NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),
  `completed_at` datetime(6) DEFAULT NULL,
  `renewed_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  PRIMARY KEY (`id`),
  KEY `idx_operation_created` (`created_at`,`id`),
  KEY `idx_operation_target` (`backup_target_id`,`created_at`),
  KEY `idx_operation_host_target` (`host`,`backup_target_id`,`status`),
  KEY `idx_operation_job` (`jobid`,`created_at`),
  KEY `idx_operation_status` (`status`,`created_at`),
  KEY `idx_operation_arrival` (`host`,`backup_target_id`,`arrival`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `nodes` (
  `host` varchar(255) NOT NULL,
  `state` varchar(16) NOT NULL DEFAULT 'up',
  `incarnation` varchar(64) DEFAULT NULL,
  `boot_id` varchar(64) DEFAULT NULL,
  `protocol` int(11) DEFAULT NULL,
  `version` varchar(64) DEFAULT NULL,
  `bases` text DEFAULT NULL,
  `public_key` text DEFAULT NULL,
  `last_seen` datetime(6) DEFAULT NULL,
  `lease_token` char(36) DEFAULT NULL,
  `lease_owner` varchar(255) DEFAULT NULL,
  `lease_renewals` bigint(20) NOT NULL DEFAULT 0,
  `lease_expires_at` datetime(6) DEFAULT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  `updated_at` datetime(6) NOT NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),
  `pinned_keys` text DEFAULT NULL,
  `refused_key_id` varchar(64) DEFAULT NULL,
  `served_ledger` varchar(64) DEFAULT NULL,
  `legacy_queue_lost` tinyint(4) DEFAULT NULL,
  `problem` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`host`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `service_uptime` (
  `id` tinyint(4) NOT NULL,
  `up_since` datetime(6) NOT NULL,
  `last_beat` datetime(6) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `target_arrivals` (
  `host` varchar(255) NOT NULL,
  `backup_target_id` varchar(255) NOT NULL,
  `arrival` bigint(20) NOT NULL,
  PRIMARY KEY (`host`,`backup_target_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `target_mounts` (
  `host` varchar(255) NOT NULL,
  `backup_target_id` varchar(255) NOT NULL,
  `revision` bigint(20) NOT NULL DEFAULT 0,
  `state` varchar(16) NOT NULL DEFAULT 'ABSENT',
  `epoch` bigint(20) NOT NULL DEFAULT 0,
  `incarnation` varchar(64) DEFAULT NULL,
  `mount_path` varchar(1024) DEFAULT NULL,
  `active_path_key` binary(32) DEFAULT NULL,
  `source` varchar(1024) DEFAULT NULL,
  `type` varchar(8) DEFAULT NULL,
  `read_only` tinyint(1) NOT NULL DEFAULT 0,
  `project_id` varchar(255) DEFAULT NULL,
  `mnt_id` bigint(20) DEFAULT NULL,
  `device` varchar(32) DEFAULT NULL,
  `boot_id` varchar(64) DEFAULT NULL,
  `operation_id` char(36) DEFAULT NULL,
  `lease_token` char(36) DEFAULT NULL,
  `lease_owner` varchar(255) DEFAULT NULL,
  `lease_renewals` bigint(20) NOT NULL DEFAULT 0,
  `lease_ms` int(11) DEFAULT NULL,
  `lease_expires_at` datetime(6) DEFAULT NULL,
  `error_code` varchar(32) DEFAULT NULL,
  `error_msg` text DEFAULT NULL,
  `created_at` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  `updated_at` datetime(6) NOT NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6),
  PRIMARY KEY (`host`,`backup_target_id`),
  UNIQUE KEY `uq_host_active_path` (`host`,`active_path_key`),
  KEY `idx_state` (`state`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
