//! What follows, and what doesn't, known to the letter.

use super::*;

mod read_back;

const CURRENT: Credential<'_> = Credential {
    user: "app",
    password: "old:p@ss/w?rd",
};

/// Needs care in every form.
const NEXT: Credential<'_> = Credential {
    user: "app_clone",
    password: r#"n€w'"; %+{}\=&"#,
};

/// What `text` becomes; `None` where it is left alone.
fn followed(text: &str, current: &Credential<'_>, next: &Credential<'_>) -> Option<String> {
    match follow(text, current, next) {
        Followed::Rewritten(text) => Some(text.to_string()),
        Followed::UnknownForm | Followed::Unrelated => None,
    }
}

const IN_URI: &str = "n%E2%82%ACw%27%22%3B%20%25%2B%7B%7D%5C%3D%26";

#[test]
fn the_forms_that_drivers_read_follow_to_the_letter() {
    let known = [
        // libpq, Go, Node.js
        (
            "postgres://app:old%3Ap%40ss%2Fw%3Frd@db.example:5432/orders?sslmode=verify-full",
            format!("postgres://app_clone:{IN_URI}@db.example:5432/orders?sslmode=verify-full"),
        ),
        // several hosts; an address of IPv6; blanks around it
        (
            " postgresql://app:old%3ap%40ss%2fw%3Frd@a:1,[::1]:2/o?x=A%20b \n",
            format!(" postgresql://app_clone:{IN_URI}@a:1,[::1]:2/o?x=A%20b \n"),
        ),
        // SQLAlchemy
        (
            "postgresql+psycopg2://app:old%3Ap%40ss%2Fw%3Frd@proxy/orders",
            format!("postgresql+psycopg2://app_clone:{IN_URI}@proxy/orders"),
        ),
        // Prisma
        (
            "postgresql://app:old:p%40ss%2Fw%3Frd@h:6432/o?schema=public&connection_limit=5&pgbouncer=true",
            format!("postgresql://app_clone:{IN_URI}@h:6432/o?schema=public&connection_limit=5&pgbouncer=true"),
        ),
        // JDBC, also with the default host; R2DBC
        (
            "jdbc:postgresql://h/o?ssl=true&user=app&password=old%3Ap%40ss/w?rd&ApplicationName=a+b",
            format!("jdbc:postgresql://h/o?ssl=true&user=app_clone&password={IN_URI}&ApplicationName=a+b"),
        ),
        (
            "jdbc:postgresql:o?PASSWORD=old:p@ss/w?rd&user=app#x",
            format!("jdbc:postgresql:o?PASSWORD={IN_URI}&user=app_clone#x"),
        ),
        (
            "r2dbc:pool:postgresql://app:old%3Ap%40ss%2Fw%3Frd@h/o",
            format!("r2dbc:pool:postgresql://app_clone:{IN_URI}@h/o"),
        ),
        // the user before the host, the password behind it
        (
            "postgresql://app@h/o?password=old%3Ap%40ss%2Fw%3Frd",
            format!("postgresql://app_clone@h/o?password={IN_URI}"),
        ),
        // libpq's keywords
        (
            "host=h user=app password=old:p@ss/w?rd  sslmode = verify-full",
            r#"host=h user=app_clone password='n€w\'"; %+{}\\=&'  sslmode = verify-full"#.to_owned(),
        ),
        (
            r"password = 'old:p\@ss/w?rd' user='app' application_name='it\'s'",
            r#"password = 'n€w\'"; %+{}\\=&' user='app_clone' application_name='it\'s'"#.to_owned(),
        ),
        // Npgsql
        (
            "Host=h;Port=5432;Database=o;Username=app;Password=old:p@ss/w?rd;SSL Mode=VerifyFull",
            r#"Host=h;Port=5432;Database=o;Username=app_clone;Password="n€w'""; %+{}\=&";SSL Mode=VerifyFull"#.to_owned(),
        ),
        (
            "server=h; user id = app ; PWD='old:p@ss/w?rd' ;",
            r#"server=h; user id = app_clone ; PWD='n€w''"; %+{}\=&' ;"#.to_owned(),
        ),
        // ODBC
        (
            "Driver={PostgreSQL Unicode};Server=h;Uid=app;Pwd=old:p@ss/w?rd",
            r#"Driver={PostgreSQL Unicode};Server=h;Uid=app_clone;Pwd={n€w'"; %+{}}\=&}"#.to_owned(),
        ),
    ];
    for (text, expected) in known {
        assert_eq!(followed(text, &CURRENT, &NEXT), Some(expected), "{text}");
    }
}

#[test]
fn a_reserved_character_as_it_is_ends_where_the_driver_ends_it() {
    let cases = [
        // `?` and `#` are libpq's password, `@` is every other driver's.
        (
            "a?b#c",
            "postgres://app:a?b#c@h/o",
            "postgres://app:new@h/o",
        ),
        ("a@b", "postgres://app:a@b@h/o", "postgres://app:new@h/o"),
        // `+` is a blank to Java, itself to libpq.
        (
            "a b",
            "jdbc:postgresql://h/o?user=app&password=a+b",
            "jdbc:postgresql://h/o?user=app&password=new",
        ),
        (
            "a+b",
            "postgresql://h/o?user=app&password=a+b",
            "postgresql://h/o?user=app&password=new",
        ),
    ];
    for (password, text, expected) in cases {
        let current = Credential {
            user: "app",
            password,
        };
        let next = Credential {
            user: "app",
            password: "new",
        };
        assert_eq!(followed(text, &current, &next).as_deref(), Some(expected));
    }
}

#[test]
fn a_single_users_name_stays_as_it_was_written() {
    let current = Credential {
        user: "a-b",
        password: "old",
    };
    let next = Credential {
        user: "a-b",
        password: "new",
    };
    let uri = followed("postgres://a%2Db:old@h/o", &current, &next);
    assert_eq!(uri.as_deref(), Some("postgres://a%2Db:new@h/o"));
    let keywords = followed("user='a-b' password=old", &current, &next);
    assert_eq!(keywords.as_deref(), Some("user='a-b' password=new"));
}

#[test]
fn both_must_be_the_current_ones() {
    let untouched = [
        "",
        "postgres",
        "db.example",
        "postgres://app@h/o",
        "postgres://app:another@h/o",
        "https://example.org/?q=a@b",
        "jdbc:postgresql://h/o?user=app",
        "host=h user=app password=another",
        "Host=h;Username=app;Password=another",
        "Host=h;Username=app",
    ];
    for text in untouched {
        assert!(
            matches!(follow(text, &CURRENT, &NEXT), Followed::Unrelated),
            "{text}"
        );
    }
}

#[test]
fn a_password_in_another_form_is_told_of() {
    let texts = [
        // the password alone; another user's
        "old:p@ss/w?rd",
        "postgres://other:old%3Ap%40ss%2Fw%3Frd@h/o",
        "postgres://app:another@h/o?password=old%3Ap%40ss%2Fw%3Frd",
        "host=h password=old:p@ss/w?rd",
        // not closed; something behind the quote
        "host=h user=app password='old:p@ss/w?rd",
        "Host=h;Username=app;Password=\"old:p@ss/w?rd",
        "Host=h;Username=app;Password=\"old:p@ss/w?rd\"x",
        // .pgpass, a command, JSON
        r"h:5432:o:app:old\:p@ss/w?rd",
        "psql postgres://app:old%3Ap%40ss%2Fw%3Frd@h/o",
        r#"{"user":"app","password":"old:p@ss/w?rd"}"#,
    ];
    for text in texts {
        assert!(
            matches!(follow(text, &CURRENT, &NEXT), Followed::UnknownForm),
            "{text}"
        );
    }
    // By chance
    assert!(!holds("postgres of 5432", "postgre"));
}
