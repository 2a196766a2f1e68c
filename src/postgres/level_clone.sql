-- Makes the clone the equal of the original, inside the transaction that sets a password; done twice, it is the same.
-- Run by a superuser, or by a role with CREATEROLE and ADMIN on both (PostgreSQL 13-18), with search_path = pg_catalog.
-- A refusal has a SQLSTATE of its own and carries the statement that mends it.
DO $level$
DECLARE
  original CONSTANT text := current_setting('db_rotation.original');
  clone CONSTANT text := current_setting('db_rotation.clone');
  version CONSTANT int := current_setting('server_version_num');
  o pg_roles;
  c pg_roles;
  lack record;
  wanted text;
  setting record;
  before text;
  skipped text[] := '{}';
BEGIN
  -- Where a database starts everybody's sessions as somebody else (ALTER DATABASE … SET role), back to oneself.
  IF NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
    SET LOCAL ROLE NONE;
  END IF;

  SELECT * INTO o FROM pg_roles WHERE rolname = original;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'role % does not exist, so role % is not its clone; if it was dropped, as an administrator: %',
      quote_ident(original), quote_ident(clone), format('CREATE ROLE %1$I LOGIN; GRANT %1$I TO %2$I', original, clone)
      USING ERRCODE = 'DBR01';
  END IF;
  SELECT * INTO c FROM pg_roles WHERE rolname = clone;

  -- What an administrator must grant first: the clone's membership, which shows that it is one; and, since version 16, the
  -- ADMIN without which CREATEROLE reaches no role. The server refuses members in a circle: whoever is to be granted, and
  -- holds the one it is granted to, must let go of that.
  FOR lack IN
    SELECT code, string_agg(revokes || format('GRANT %I TO %I', pg_get_userbyid(granted), pg_get_userbyid(grantee)) || suffix,
      '; ' ORDER BY granted) AS statements
    FROM (
      SELECT 'DBR01' AS code, o.oid AS granted, c.oid AS grantee, '' AS suffix
      WHERE c.oid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_auth_members WHERE roleid = o.oid AND member = c.oid)
      UNION ALL
      SELECT 'DBR02', r.oid, me.oid, ' WITH ADMIN OPTION'
      FROM pg_roles me, pg_roles r
      WHERE version >= 160000 AND me.rolname = current_user AND NOT me.rolsuper
        AND r.oid IN (o.oid, c.oid) AND NOT pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION')
    ) wish, LATERAL (
      WITH RECURSIVE held (role) AS (
        SELECT granted UNION SELECT roleid FROM pg_auth_members JOIN held ON member = role
      )
      SELECT coalesce(string_agg(format('REVOKE %I FROM %I', pg_get_userbyid(grantee), pg_get_userbyid(member))
        || CASE WHEN version < 160000 THEN ''
             ELSE format(' GRANTED BY %I', pg_get_userbyid(grantor)) || CASE WHEN admin_option THEN ' CASCADE' ELSE '' END END
        || '; ', ''), '') AS revokes
      FROM pg_auth_members WHERE roleid = grantee AND member IN (SELECT role FROM held)
    ) circle
    GROUP BY code ORDER BY code
  LOOP
    IF lack.code = 'DBR01' THEN
      RAISE EXCEPTION 'role % is not a member of %, so nothing shows that it is its clone; if it is, as an administrator: %',
        quote_ident(clone), quote_ident(original), lack.statements USING ERRCODE = 'DBR01';
    END IF;
    RAISE EXCEPTION 'role % lacks ADMIN; as an administrator: %', quote_ident(current_user), lack.statements
      USING ERRCODE = 'DBR02';
  END LOOP;

  IF c.oid IS NULL THEN
    EXECUTE format('CREATE ROLE %I NOLOGIN', clone);
    EXECUTE format('GRANT %I TO %I', original, clone);
    SELECT * INTO c FROM pg_roles WHERE rolname = clone;
  ELSIF version >= 160000 AND NOT (pg_has_role(c.oid, o.oid, 'SET') AND pg_has_role(c.oid, o.oid, 'USAGE')) THEN
    EXECUTE format('GRANT %I TO %I WITH INHERIT TRUE, SET TRUE', original, clone);
  END IF;

  -- Attributes, each by itself: one that may not be given must not keep the others from being level. A clone always
  -- inherits, also from an original that does not: until it acts as the original, at the very login, it needs CONNECT.
  FOR wanted IN
    SELECT word FROM (VALUES
      (NOT c.rolcanlogin, 'LOGIN'),
      (c.rolconnlimit <> o.rolconnlimit, format('CONNECTION LIMIT %s', o.rolconnlimit)),
      (coalesce(c.rolvaliduntil, 'infinity') <> coalesce(o.rolvaliduntil, 'infinity'),
       format('VALID UNTIL %L', coalesce(o.rolvaliduntil, 'infinity'))),
      (NOT c.rolinherit, 'INHERIT'),
      (c.rolcreatedb <> o.rolcreatedb, CASE WHEN o.rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END),
      (c.rolcreaterole <> o.rolcreaterole, CASE WHEN o.rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END),
      (c.rolbypassrls <> o.rolbypassrls, CASE WHEN o.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END),
      (c.rolreplication <> o.rolreplication, CASE WHEN o.rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END)
    ) AS attribute (differs, word) WHERE differs
  LOOP
    BEGIN
      EXECUTE format('ALTER ROLE %I %s', clone, wanted);
    EXCEPTION WHEN insufficient_privilege THEN
      skipped := skipped || wanted;
    END;
  END LOOP;
  IF c.rolsuper <> o.rolsuper THEN
    skipped := skipped || CASE WHEN o.rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END;
  END IF;

  -- Settings, per database too. The clone's sessions start as the original, so that what either makes belongs to the
  -- original; or as whom the original's start as. That the server takes from the first of these that it may: the role's
  -- setting for the database, its own, the database's, everybody's.
  BEGIN
    FOR setting IN
      WITH entry AS (
        SELECT s.setrole, s.setdatabase, split_part(item, '=', 1) AS name, substr(item, strpos(item, '=') + 1) AS value
        FROM pg_db_role_setting s, unnest(s.setconfig) item WHERE s.setrole IN (0, o.oid, c.oid)
      ), start AS (
        SELECT setdatabase, setrole = 0 AS is_everybodys, value FROM entry
        WHERE name = 'role' AND setrole <> c.oid AND (value = 'none' OR EXISTS (SELECT FROM pg_roles r
          WHERE r.rolname = value AND pg_has_role(o.oid, r.oid, CASE WHEN version < 160000 THEN 'MEMBER' ELSE 'SET' END)))
        UNION ALL SELECT 0, NULL, original
      ), wish AS (
        SELECT setdatabase, name, value FROM entry WHERE setrole = o.oid AND name <> 'role'
        UNION ALL
        (SELECT DISTINCT ON (place) place, 'role', CASE value WHEN 'none' THEN original ELSE value END
         FROM (SELECT DISTINCT setdatabase AS place FROM start) p JOIN start ON setdatabase IN (0, place)
         ORDER BY place, is_everybodys NULLS LAST, setdatabase = 0)
      ), found AS (
        SELECT setdatabase, name, value FROM entry WHERE setrole = c.oid
      )
      SELECT name, wish.value,
        format('ALTER ROLE %I', clone) || CASE WHEN datname IS NULL THEN '' ELSE format(' IN DATABASE %I', datname) END AS target
      FROM wish FULL JOIN found USING (setdatabase, name) LEFT JOIN pg_database d ON d.oid = setdatabase
      WHERE wish.value IS DISTINCT FROM found.value
    LOOP
      BEGIN
        IF setting.value IS NULL THEN
          EXECUTE format('%s RESET %I', setting.target, setting.name);
        ELSIF setting.name IN ('local_preload_libraries', 'search_path', 'session_preload_libraries', 'temp_tablespaces') THEN
          -- A list of names, whose text is no literal: set for a moment, and taken from there.
          before := current_setting(setting.name);
          wanted := format('%s SET %I FROM CURRENT', setting.target, setting.name);
          PERFORM pg_catalog.set_config(setting.name, setting.value, true);
          EXECUTE wanted;
          PERFORM pg_catalog.set_config(setting.name, before, true);
        ELSE
          EXECUTE format('%s SET %I = %L', setting.target, setting.name, setting.value);
        END IF;
      EXCEPTION
        -- Somebody else's change at the same time: the whole is tried again.
        WHEN deadlock_detected OR internal_error OR lock_not_available OR serialization_failure THEN RAISE;
        WHEN OTHERS THEN
          skipped := skipped || setting.name;
      END;
    END LOOP;
  EXCEPTION WHEN insufficient_privilege THEN
    -- The superuser may not read pg_db_role_setting: what the original has is not known, but how the clone starts is.
    EXECUTE format('ALTER ROLE %I SET role = %L', clone, original);
    skipped := skipped || 'settings that cannot be read (pg_db_role_setting)'::text;
  END;
  PERFORM set_config('db_rotation.not_copied',
    (SELECT coalesce(string_agg(DISTINCT name, ', '), '') FROM unnest(skipped) name), true);

  -- What the clone owns here, made by a session that did not act as the original. Where one may not look, nothing is said.
  BEGIN
    PERFORM set_config('db_rotation.owned', count(*)::text, true) FROM pg_shdepend
      WHERE refclassid = 'pg_authid'::regclass AND refobjid = c.oid AND deptype = 'o'
        AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database());
  EXCEPTION WHEN insufficient_privilege THEN
    PERFORM set_config('db_rotation.owned', '', true);
  END;
END
$level$
